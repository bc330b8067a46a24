package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

const (
	taskType = "application/vnd.statewire.task+xml"
	packType = "application/vnd.statewire.managementpack+xml"
)

// siteKeys are a document with a task key and two pack keys, and the keys themselves.
type siteKeys struct {
	*Document
	root, task, pack, contoso signer
}

func newSiteKeys(t testing.TB) siteKeys {
	t.Helper()
	var s [4]signer
	for i := range s {
		var err error
		if s[i], err = signerOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i)}, ed25519.SeedSize))); err != nil {
			t.Fatal(err)
		}
	}
	k := siteKeys{root: s[0], task: s[1], pack: s[2], contoso: s[3]}
	end := day.Add(24 * time.Hour)
	k.Document = sealed(t, &Document{Version: 1, Expires: day.Add(48 * time.Hour), Roots: keysOf(k.root), Threshold: 1,
		TaskKeys: []TaskKey{{k.task.ID, k.task.Key.Key, end, "HQ"}},
		PackKeys: []PackKey{{k.pack.ID, k.pack.Key.Key, day.Add(72 * time.Hour), []string{""}},
			{k.contoso.ID, k.contoso.Key.Key, end, []string{"Fabrikam.", "Contoso."}}}}, k.root)
	return k
}

func enveloped(t testing.TB, kind, payload string, by signer) []byte {
	t.Helper()
	text, err := SignEnvelope(kind, []byte(payload), by.ID, by.private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func asIs(payload []byte) (string, error) { return string(payload), nil }

// A task is believed when one task key of the document signed it as a task, before its end and before the document's.
func TestATaskIsSignedByOneTaskKey(t *testing.T) {
	k := newSiteKeys(t)
	good := enveloped(t, taskType, "<a/>", k.task)
	if bytes.ContainsAny(good, "\r\n") {
		t.Error("an envelope is one line")
	}
	payload, by, err := k.OpenTask(good, taskType, day)
	if err != nil || string(payload) != "<a/>" || by.ID != k.task.ID || by.Site != "HQ" {
		t.Fatalf("%q, %+v, %v", payload, by, err)
	}
	end := k.TaskKeys[0].NotAfter
	if _, _, err := k.OpenTask(good, taskType, end.Add(-time.Second)); err != nil {
		t.Error(err)
	}
	foreign := newSigners(t, 1)[0]
	posing := foreign
	posing.ID = k.task.ID
	var none *Document
	long := strings.Repeat("x", MaxTaskBytes)
	for _, tc := range []struct {
		name string
		doc  *Document
		text []byte
		kind string
		now  time.Time
		want error
	}{
		{"at the key's end", k.Document, good, taskType, end, ErrUnknownKey},
		{"a document that ended", ended(k, day), good, taskType, day, ErrUnknownKey},
		{"no document", none, good, taskType, day, ErrUnknownKey},
		{"a stranger's key", k.Document, enveloped(t, taskType, "<a/>", foreign), taskType, day, ErrUnknownKey},
		{"a pack key", k.Document, enveloped(t, taskType, "<a/>", k.pack), taskType, day, ErrUnknownKey},
		{"a root", k.Document, enveloped(t, taskType, "<a/>", k.root), taskType, day, ErrUnknownKey},
		{"a stranger under the key's id", k.Document, forged(t, taskType, "<a/>", posing), taskType, day, ErrSignature},
		{"a wrong signature by a key that ended", k.Document, forged(t, taskType, "<a/>", posing), taskType, end,
			ErrSignature},
		{"signed as something else", k.Document, retyped(t, enveloped(t, packType, "<a/>", k.task), taskType), taskType,
			day, ErrSignature},
		{"another type", k.Document, good, packType, day, ErrEnvelope},
		{"too long", k.Document, enveloped(t, taskType, long, k.task), taskType, day, ErrEnvelope},
		{"two signatures", k.Document, both(t, "<a/>", taskType, k.task, foreign), taskType, day, ErrEnvelope},
		{"none", k.Document, both(t, "<a/>", taskType), taskType, day, ErrEnvelope},
		{"nothing", k.Document, nil, taskType, day, ErrEnvelope},
		{"null", k.Document, []byte("null"), taskType, day, ErrEnvelope},
		{"a line feed behind", k.Document, append(bytes.Clone(good), '\n'), taskType, day, ErrEnvelope},
		{"a name in other letters", k.Document, bytes.Replace(good, []byte(`"payload"`), []byte(`"Payload"`), 1), taskType,
			day, ErrEnvelope},
		{"a name twice", k.Document, bytes.Replace(good, []byte(`"payload"`), []byte(`"payload":"","payload"`), 1),
			taskType, day, ErrEnvelope},
		{"one more name", k.Document, bytes.Replace(good, []byte(`{`), []byte(`{"x":1,`), 1), taskType, day, ErrEnvelope},
		{"a payload in lines", k.Document, bytes.Replace(good, []byte(`"PGEv`), []byte(`"PG\nEv`), 1), taskType, day,
			ErrEnvelope},
	} {
		if payload, by, err := tc.doc.OpenTask(tc.text, tc.kind, tc.now); !errors.Is(err, tc.want) || payload != nil ||
			by.ID != "" {
			t.Errorf("%s: %q, %v", tc.name, payload, err)
		}
	}
}

func ended(k siteKeys, at time.Time) *Document {
	d := *k.Document
	d.Expires = at
	return &d
}

// forged is an envelope whose signature says that it is of the signer's id, whatever the key.
func forged(t testing.TB, kind, payload string, by signer) []byte {
	t.Helper()
	return both(t, payload, kind, by)
}

func both(t testing.TB, payload, kind string, by ...signer) []byte {
	t.Helper()
	e := dsse.Envelope{PayloadType: kind, Payload: base64.StdEncoding.EncodeToString([]byte(payload)),
		Signatures: []dsse.Signature{}}
	for _, s := range by {
		sig, _ := s.Sign(t.Context(), dsse.PAE(kind, []byte(payload)))
		e.Signatures = append(e.Signatures, dsse.Signature{KeyID: s.ID, Sig: base64.StdEncoding.EncodeToString(sig)})
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func retyped(t testing.TB, text []byte, kind string) []byte {
	t.Helper()
	var e dsse.Envelope
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	e.PayloadType = kind
	text, _ = json.Marshal(e)
	return text
}

// A pack is believed when a pack key signed it one of whose prefixes begins its id.
func TestAPackIsSignedByAKeyForItsName(t *testing.T) {
	k := newSiteKeys(t)
	foreign := newSigners(t, 1)[0]
	posing := foreign
	posing.ID = k.pack.ID
	end := day.Add(24 * time.Hour) // of Contoso's key
	name := errors.New("no name")
	for _, tc := range []struct {
		name string
		doc  *Document
		text []byte
		now  time.Time
		want error
	}{
		{"any pack, a key without a prefix", k.Document, enveloped(t, packType, "Anybody.Disk", k.pack), day, nil},
		{"its own pack", k.Document, enveloped(t, packType, "Contoso.Disk", k.contoso), day, nil},
		{"another's pack", k.Document, enveloped(t, packType, "Litware.Disk", k.contoso), day, ErrUnknownKey},
		{"the prefix further back", k.Document, enveloped(t, packType, "X.Contoso.Disk", k.contoso), day, ErrUnknownKey},
		{"at the key's end", k.Document, enveloped(t, packType, "Contoso.Disk", k.contoso), end, ErrUnknownKey},
		{"one of two keys ended", k.Document, both(t, "Contoso.Disk", packType, k.contoso, k.pack), end, nil},
		{"of two keys only the one that ended is for it", k.Document, both(t, "Contoso.Disk", packType, k.contoso, foreign),
			end, ErrUnknownKey},
		{"a stranger, too", k.Document, both(t, "Contoso.Disk", packType, foreign, k.contoso), day, nil},
		{"only strangers", k.Document, both(t, "Contoso.Disk", packType, foreign), day, ErrUnknownKey},
		{"a task key", k.Document, enveloped(t, packType, "Contoso.Disk", k.task), day, ErrUnknownKey},
		{"one good, one wrong", k.Document, both(t, "Contoso.Disk", packType, k.contoso, posing), day, ErrSignature},
		{"one key twice", k.Document, both(t, "Contoso.Disk", packType, k.contoso, k.contoso), day, ErrEnvelope},
		{"nine signatures", k.Document, both(t, "Contoso.Disk", packType, newSigners(t, 9)...), day, ErrEnvelope},
		{"a document that ended", ended(k, day), enveloped(t, packType, "Contoso.Disk", k.pack), day, ErrUnknownKey},
		{"no document", nil, enveloped(t, packType, "Contoso.Disk", k.pack), day, ErrUnknownKey},
		{"too long", k.Document, enveloped(t, packType, strings.Repeat("x", MaxPackBytes), k.pack), day, ErrEnvelope},
	} {
		payload, err := tc.doc.OpenPack(tc.text, packType, asIs, tc.now)
		if !errors.Is(err, tc.want) || (payload == nil) != (tc.want != nil) {
			t.Errorf("%s: %q, %v", tc.name, payload, err)
		}
	}
	nameless := func([]byte) (string, error) { return "", name }
	if _, err := k.OpenPack(enveloped(t, packType, "x", k.pack), packType, nameless, day); !errors.Is(err, name) {
		t.Errorf("a pack without a name: %v", err)
	}
	asked := func([]byte) (string, error) { t.Error("read before it was verified"); return "", nil }
	_, _ = k.OpenPack(enveloped(t, packType, "x", foreign), packType, asked, day)
}

// No bit of an envelope can be changed without it being refused.
func TestAnEnvelopeWithAnyBitFlippedIsRefused(t *testing.T) {
	k := newSiteKeys(t)
	task, pack := enveloped(t, taskType, "<task/>", k.task), enveloped(t, packType, "Contoso.Disk", k.contoso)
	flips := func(text []byte, open func([]byte) error) {
		for at := range text {
			for bit := range 8 {
				changed := bytes.Clone(text)
				changed[at] ^= 1 << bit
				if err := open(changed); !errors.Is(err, ErrEnvelope) && !errors.Is(err, ErrSignature) &&
					!errors.Is(err, ErrUnknownKey) {
					t.Fatalf("bit %d of byte %d of %s: %v", bit, at, text, err)
				}
			}
		}
	}
	flips(task, func(text []byte) error { _, _, err := k.OpenTask(text, taskType, day); return err })
	flips(pack, func(text []byte) error { _, err := k.OpenPack(text, packType, asIs, day); return err })
}

// Whoever signs says which key it is; a key under another's id would never be believed.
func TestAnEnvelopeIsSignedByTheKeyItNames(t *testing.T) {
	s := newSigners(t, 2)
	if _, err := SignEnvelope(taskType, nil, s[0].ID, s[1].private); err == nil {
		t.Error("another key")
	}
	if _, err := SignEnvelope(taskType, nil, s[0].ID, nil); err == nil {
		t.Error("no key")
	}
}

// A signed time names its key by how its id begins.
func TestTheKeyOfASignedTimeIsFound(t *testing.T) {
	k := newSiteKeys(t)
	var prefix [8]byte
	raw, _ := hex.DecodeString(k.task.ID)
	copy(prefix[:], raw)
	key, end, ok := k.TaskVerifier(prefix)
	if !ok || !key.Equal(k.task.private.Public()) || !end.Equal(k.TaskKeys[0].NotAfter) {
		t.Errorf("%v, %v", end, ok)
	}
	raw, _ = hex.DecodeString(k.pack.ID)
	copy(prefix[:], raw)
	if _, _, ok := k.TaskVerifier(prefix); ok {
		t.Error("a pack key vouches for no time")
	}
	var none *Document
	if _, _, ok := none.TaskVerifier(prefix); ok {
		t.Error("no document names no key")
	}
}
