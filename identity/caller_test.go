package identity

import (
	"strings"
	"testing"

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
	for _, name := range []string{"", "statewire:", "statewire:" + site, "statewire:" + strings.ToUpper(site) + ":client:" +
		client, "x" + good, "statewire:" + site + ":role:x:y", "statewire:" + site + ":role:fsp:a:b"} {
		if c, ok := readName(name); ok {
			t.Errorf("%q is %+v", name, c)
		}
	}
}
