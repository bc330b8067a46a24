package identity

import (
	"crypto/x509"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// An id has one spelling in a certificate: whoever compares names as text must not meet a second one.
func TestANameInACertificateHasOneSpelling(t *testing.T) {
	site, client := uuid.NewString(), "a0000000-0000-4000-8000-00000000000b"
	good := "statewire:" + site + ":client:" + client
	if c, ok := readName(good); !ok || c.Client.String() != client || c.Site.String() != site || !c.IsClient() {
		t.Errorf("%+v %v", c, ok)
	}
	for _, id := range []string{strings.ToUpper(client), "{" + client + "}", "urn:uuid:" + client, uuid.Nil.String(), "",
		strings.ReplaceAll(client, "-", ""), client + ":"} {
		if c, ok := readName("statewire:" + site + ":client:" + id); ok {
			t.Errorf("%q is %+v", id, c)
		}
	}
	for _, name := range []string{"", "statewire:", "statewire:" + site, "statewire:" + strings.ToUpper(site) +
		":client:" +
		client, "x" + good, "statewire:" + site + ":role:x:y", "statewire:" + site + ":role:fsp:a:b"} {
		if c, ok := readName(name); ok {
			t.Errorf("%q is %+v", name, c)
		}
	}
}

func TestAKeyIsWrittenInOneWay(t *testing.T) {
	for text, want := range map[string]string{
		clientKey(one): clientKey(one), one.String(): clientKey(one), strings.ToUpper(one.String()): clientKey(one),
		"guid:" + one.String(): clientKey(one), "role:relay:dmz-1": "role:relay:dmz-1",
		"": "", "GUID:": "", "PC1": "", uuid.Nil.String(): "", "role:ingest:x": "", "role:relay:": "", "role:relay:a/b": "",
		"relay:x": "",
	} {
		got, err := KeyOf(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}

// Whatever a certificate calls itself, it is one caller's, whose name is written back as it was.
func FuzzCaller(f *testing.F) {
	f.Add("urn:statewire:f1b00000-0000-4000-8000-000000000001:client:f1b00000-0000-4000-8000-000000000002")
	f.Add("urn:statewire:f1b00000-0000-4000-8000-000000000001:role:relay:dmz")
	f.Fuzz(func(t *testing.T, text string) {
		uri, err := url.Parse(text)
		if err != nil {
			return
		}
		c, err := callerOf(&x509.Certificate{URIs: []*url.URL{uri}, SerialNumber: big.NewInt(1)})
		if err != nil {
			return
		}
		if c.urn().String() != text || c.IsClient() == slices.Contains(RoleKinds, c.Role) {
			t.Fatalf("%q is %+v, written %q", text, c, c.urn())
		}
		if _, err := KeyOf(c.Key()); err != nil {
			t.Fatalf("%q has the key %q: %v", text, c.Key(), err)
		}
	})
}

func TestNamesOfRoles(t *testing.T) {
	for name, want := range map[string]bool{"dmz-1": true, "a.b": true, "..": false, ".": false, "": false, "a/b": false,
		strings.Repeat("x", 64): true, strings.Repeat("x", 65): false} {
		if validRoleName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	s := newSite(t)
	c := s.enrolled(t, one)
	c.Role, c.Name, c.Client = "ingest", "x", uuid.Nil
	made, _, err := s.site.authority().issue(c, p256(t), nil, s.clock.now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := callerOf(certificate(t, string(made))); err == nil {
		t.Errorf("a role that there is not: %+v", who)
	}
}
