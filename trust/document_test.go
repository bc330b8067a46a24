package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

var day = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func newSigners(t testing.TB, n int) []signer {
	t.Helper()
	list := make([]signer, n)
	for i := range list {
		s, err := newSigner()
		if err != nil {
			t.Fatal(err)
		}
		list[i] = s
	}
	return list
}

func keysOf(list ...signer) (keys []Key) {
	for _, s := range list {
		keys = append(keys, s.Key)
	}
	return keys
}

// made is a document of these roots, signed by the signers.
func made(t testing.TB, version uint64, threshold int, roots []Key, signers ...signer) *Document {
	t.Helper()
	d := &Document{Version: version, Expires: day.Add(documentLife), Roots: roots, Threshold: threshold}
	if err := d.seal(); err != nil {
		t.Fatal(err)
	}
	for _, s := range signers {
		if err := d.sign(s); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// The first document is taken when its roots are those of the pin and enough of them signed it.
func TestTheFirstDocumentIsOfThePinnedRoots(t *testing.T) {
	s := newSigners(t, 3)
	roots := keysOf(s[0], s[1])
	good := made(t, 7, 2, roots, s[0], s[1])
	pinned := PinOf(&x509.Certificate{}, good.RootIDs()).Roots
	d, err := First(good.Envelope(), pinned)
	if err != nil || d.Version != 7 || !slices.Equal(d.RootIDs(), good.RootIDs()) {
		t.Fatalf("%+v, %v", d, err)
	}
	twice := made(t, 7, 2, roots, s[0])
	twice.envelope.Signatures = append(twice.envelope.Signatures, twice.envelope.Signatures[0])
	renamed := made(t, 7, 2, roots, s[0])
	renamed.envelope.Signatures = append(renamed.envelope.Signatures, renamed.envelope.Signatures[0])
	renamed.envelope.Signatures[1].KeyID = s[1].ID
	nameless := made(t, 7, 2, roots, s[0], s[1])
	nameless.envelope.Signatures[1].KeyID = ""
	for name, bad := range map[string]*Document{
		"signed by one of two":               made(t, 7, 2, roots, s[0]),
		"signed by one and a stranger":       made(t, 7, 2, roots, s[0], s[2]),
		"one signature twice":                twice,
		"one signature under two names":      renamed,
		"a signature that says not of whom":  nameless,
		"not signed":                         made(t, 7, 2, roots),
		"another root":                       made(t, 7, 2, keysOf(s[0], s[2]), s[0], s[2]),
		"a root more":                        made(t, 7, 2, keysOf(s...), s...),
		"a root less":                        made(t, 7, 1, keysOf(s[0]), s[0]),
		"signed for another payload":         {envelope: otherPayload(good)},
		"signed for another type":            {envelope: otherType(good)},
		"signed as something else":           {envelope: signedAs(t, good, "text/plain", s[0], s[1])},
		"a payload that is not what it says": {envelope: dsse.Envelope{PayloadType: "text/plain"}},
	} {
		if d, err := First(bad.Envelope(), pinned); !errors.Is(err, ErrWrong) || d != nil {
			t.Errorf("%s: %v", name, err)
		} else if !strings.Contains(err.Error(), "wrong_trust") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func otherPayload(d *Document) dsse.Envelope {
	e := d.envelope
	e.Payload = base64.StdEncoding.EncodeToString(bytes.Replace(d.payload, []byte(`:7,`), []byte(`:8,`), 1))
	return e
}

func otherType(d *Document) dsse.Envelope {
	e := d.envelope
	e.PayloadType += "2"
	return e
}

// signedAs is the payload, rightly signed as another type.
func signedAs(t *testing.T, d *Document, kind string, signers ...dsse.Signer) dsse.Envelope {
	t.Helper()
	by, err := dsse.NewEnvelopeSigner(signers...)
	if err != nil {
		t.Fatal(err)
	}
	e, err := by.SignPayload(t.Context(), kind, d.payload)
	if err != nil {
		t.Fatal(err)
	}
	return *e
}

// After the first one only a greater version counts that the roots signed which the agent has; where the roots or their
// number change, the new ones sign, too.
func TestALaterDocumentIsSignedByOldAndNewRoots(t *testing.T) {
	s := newSigners(t, 4)
	two := keysOf(s[0], s[1])
	have := made(t, 5, 2, two, s[0], s[1])
	for _, tc := range []struct {
		name string
		next *Document
		want error
	}{
		{"a greater version", made(t, 6, 2, two, s[0], s[1]), nil},
		{"a much greater version", made(t, 60, 2, two, s[1], s[0]), nil},
		{"an older version", made(t, 4, 2, two, s[0], s[1]), ErrOlder},
		{"the same version with other words", func() *Document {
			d := &Document{Version: 5, Expires: day, Roots: two, Threshold: 2}
			return sealed(t, d, s[0], s[1])
		}(), ErrWrong},
		{"one signature too few", made(t, 6, 2, two, s[0]), ErrWrong},
		{"a new root, signed by all", made(t, 6, 2, keysOf(s[1], s[2]), s[0], s[1], s[2]), nil},
		{"a new root that did not sign", made(t, 6, 2, keysOf(s[1], s[2]), s[0], s[1]), ErrWrong},
		{"a new root that signed alone", made(t, 6, 1, keysOf(s[2]), s[2]), ErrWrong},
		{"a new root, the old ones one too few", made(t, 6, 2, keysOf(s[1], s[2]), s[1], s[2]), ErrWrong},
		{"a lower threshold, signed by one", made(t, 6, 1, two, s[0]), ErrWrong},
		{"a lower threshold, signed by both", made(t, 6, 1, two, s[0], s[1]), nil},
		{"a higher threshold, signed by as many as before", made(t, 6, 3, keysOf(s[:3]...), s[0], s[1]), ErrWrong},
		{"a higher threshold, signed by all", made(t, 6, 3, keysOf(s[:3]...), s[:3]...), nil},
		{"signed by a stranger, too", made(t, 6, 2, two, s[0], s[3], s[1]), nil},
	} {
		d, err := Next(tc.next.Envelope(), have)
		if !errors.Is(err, tc.want) || (d == nil) != (tc.want != nil) {
			t.Errorf("%s: %v", tc.name, err)
		} else if tc.want == nil && d.Version != tc.next.Version {
			t.Errorf("%s: version %d", tc.name, d.Version)
		}
	}
	same := made(t, 5, 2, two, s[0], s[1])
	if d, err := Next(same.Envelope(), have); err != nil || d != have {
		t.Errorf("the same document is a change: %v", err)
	}
	if _, err := Next([]byte("{"), have); !errors.Is(err, ErrWrong) {
		t.Errorf("%v", err)
	}
}

func sealed(t testing.TB, d *Document, signers ...signer) *Document {
	t.Helper()
	if err := d.seal(); err != nil {
		t.Fatal(err)
	}
	for _, s := range signers {
		if err := d.sign(s); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// An expired document is verified like any other and can be replaced; it says itself that it allows nothing new.
func TestAnExpiredDocumentAllowsNothingNewAndIsReplaced(t *testing.T) {
	s := newSigners(t, 1)
	have := made(t, 1, 1, keysOf(s[0]), s[0])
	if have.Expired(have.Expires.Add(-time.Second)) || !have.Expired(have.Expires) {
		t.Error("the end is not where it says")
	}
	long := &Document{Version: 2, Expires: day.Add(-documentLife), Roots: keysOf(s[0]), Threshold: 1}
	if _, err := First(sealed(t, long, s[0]).Envelope(), rootsHash(long.RootIDs())); err != nil {
		t.Error(err)
	}
	if d, err := Next(made(t, 3, 1, keysOf(s[0]), s[0]).Envelope(), long); err != nil || d.Version != 3 {
		t.Error(err)
	}
}

// What is over a limit, incomplete or said twice is refused by name, before any signature is looked at.
func TestADocumentIsWithinItsLimits(t *testing.T) {
	s := newSigners(t, 3)
	base := func() *Document {
		return &Document{Version: 1, Expires: day, Roots: keysOf(s[0]), Threshold: 1,
			PackKeys: []PackKey{{s[1].ID, s[1].Key.Key, day, []string{""}}},
			TaskKeys: []TaskKey{{s[2].ID, s[2].Key.Key, day, "HQ"}}}
	}
	if err := base().seal(); err != nil {
		t.Fatal(err)
	}
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other, _ := x509.MarshalPKIXPublicKey(ec.Public())
	for name, tc := range map[string]struct {
		change func(*Document)
		want   string
	}{
		"no version":           {func(d *Document) { d.Version = 0 }, "no version"},
		"no end":               {func(d *Document) { d.Expires = time.Time{} }, "no end"},
		"no roots":             {func(d *Document) { d.Roots = nil }, "threshold"},
		"no threshold":         {func(d *Document) { d.Threshold = 0 }, "threshold"},
		"a threshold too high": {func(d *Document) { d.Threshold = 2 }, "threshold"},
		"too many keys":        {func(d *Document) { d.Roots = keysOf(newSigners(t, maxKeys+1)...) }, "more than 32"},
		"a root twice":         {func(d *Document) { d.Roots = keysOf(s[0], s[0]) }, "twice"},
		"a root as a pack key": {func(d *Document) { d.Roots = append(d.Roots, s[1].Key) }, "twice"},
		"a pack key as task key": {func(d *Document) { d.TaskKeys[0].ID, d.TaskKeys[0].Key = s[1].ID, s[1].Key.Key },
			"twice"},
		"an id of another key":  {func(d *Document) { d.Roots[0].ID = s[1].ID; d.PackKeys = nil }, "another than its id"},
		"a task key's wrong id": {func(d *Document) { d.TaskKeys[0].ID = keyID(nil) }, "another than its id"},
		"an id in capitals": {func(d *Document) { d.Roots[0].ID = strings.ToUpper(d.Roots[0].ID) },
			"another than its id"},
		"another kind of key": {func(d *Document) { d.PackKeys[0].ID, d.PackKeys[0].Key = keyID(other), other },
			"not an Ed25519"},
		"no key":                 {func(d *Document) { d.Roots[0].ID, d.Roots[0].Key = keyID(nil), nil }, "not a public key"},
		"a pack key without end": {func(d *Document) { d.PackKeys[0].NotAfter = time.Time{} }, "no end"},
		"a task key without end": {func(d *Document) { d.TaskKeys[0].NotAfter = time.Time{} }, "no end"},
		"no prefix":              {func(d *Document) { d.PackKeys[0].Prefixes = nil }, "prefixes"},
		"too many prefixes":      {func(d *Document) { d.PackKeys[0].Prefixes = make([]string, 65) }, "prefixes"},
		"a long prefix":          {func(d *Document) { d.PackKeys[0].Prefixes[0] = strings.Repeat("x", 257) }, "prefix"},
		"a long site":            {func(d *Document) { d.TaskKeys[0].Site = strings.Repeat("x", 257) }, "site"},
		"more than 64 KiB": {func(d *Document) {
			d.PackKeys[0].Prefixes = slices.Repeat([]string{strings.Repeat("x", 256)}, 64)
			for range 3 {
				k := newSigners(t, 1)[0]
				d.PackKeys = append(d.PackKeys, PackKey{k.ID, k.Key.Key, day, d.PackKeys[0].Prefixes})
			}
		}, "more than 65536"},
	} {
		d := base()
		d.Roots = slices.Clone(d.Roots)
		tc.change(d)
		if err := d.seal(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A later version may say more; what is said twice, in any case of its letters, is refused wherever it stands.
func TestUnknownNamesAreSkippedAndDoubleOnesAreNot(t *testing.T) {
	s := newSigners(t, 1)[0]
	d := made(t, 1, 1, keysOf(s))
	sign := func(payload string) []byte {
		d.payload = []byte(payload)
		d.envelope = dsse.Envelope{PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString(d.payload)}
		if err := d.sign(s); err != nil {
			t.Fatal(err)
		}
		return d.Envelope()
	}
	text := string(d.payload)
	more := strings.Replace(text, `{"version"`, `{"news":[{"a":1},{"a":2}],"version"`, 1)
	envelope := sign(more)
	if got, err := Read(envelope); err != nil || got.Version != 1 {
		t.Errorf("%v", err)
	}
	loose := bytes.Replace(envelope, []byte(d.envelope.Payload), []byte(d.envelope.Payload+"\\n"), 1)
	wide := slices.Concat([]byte(`{"more":{"a":1},`), envelope[1:])
	if _, err := Read(wide); err != nil {
		t.Errorf("an envelope that says more: %v", err)
	}
	for name, bad := range map[string][]byte{
		"a name twice":               sign(strings.Replace(text, `{"version"`, `{"version":9,"version"`, 1)),
		"a name twice in other case": sign(strings.Replace(text, `{"version"`, `{"Version":9,"version"`, 1)),
		"twice within":               sign(strings.Replace(text, `{"id"`, `{"id":"x","id"`, 1)),
		"twice in the envelope":      slices.Concat([]byte(`{"payload":"",`), envelope[1:]),
		"something behind it":        append(slices.Clone(envelope), "{}"...),
		"behind the payload":         sign(text + "{}"),
		"a payload of loose base64":  loose,
	} {
		if _, err := Read(bad); !errors.Is(err, ErrWrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.envelope.Signatures = slices.Repeat(d.envelope.Signatures, 2*maxKeys+1)
	if _, err := Read(d.Envelope()); !errors.Is(err, ErrWrong) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("%v", err)
	}
}

// Whatever comes over the network is taken or refused, and what is taken is what was signed.
func FuzzNext(f *testing.F) {
	s := newSigners(f, 2)
	have := made(f, 5, 1, keysOf(s[0]), s[0])
	f.Add(have.Envelope())
	f.Add(made(f, 6, 1, keysOf(s[1]), s...).Envelope())
	f.Add([]byte(`{"payloadType":"` + PayloadType + `","payload":"e30=","signatures":[{"keyid":"","sig":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Next(text, have)
		if (d == nil) != (err != nil) {
			t.Fatalf("%v, %v", d, err)
		}
		if err != nil {
			return
		}
		var e dsse.Envelope
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		again, err := Read(d.Envelope())
		if err != nil || !bytes.Equal(again.payload, d.payload) || fmt.Sprint(again.RootIDs()) != fmt.Sprint(d.RootIDs()) {
			t.Fatalf("%v", err)
		}
	})
}
