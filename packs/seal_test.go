package packs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/trust"
)

var day = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// packKey is a key that a document names for packs that begin so.
func packKey(t testing.TB, prefix string) (*trust.Document, string, ed25519.PrivateKey) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(spki)
	id := hex.EncodeToString(sum[:])
	return &trust.Document{Expires: day.Add(time.Hour), PackKeys: []trust.PackKey{{ID: id, Key: spki,
		NotAfter: day.Add(time.Hour), Prefixes: []string{prefix}}}}, id, key
}

func sealedPack(t testing.TB, text string) (*trust.Document, []byte) {
	t.Helper()
	d, id, key := packKey(t, "Contoso.")
	sealed, err := Seal([]byte(text), id, key)
	if err != nil {
		t.Fatal(err)
	}
	return d, sealed
}

// What was sealed is opened as it was, by whoever believes the key for a pack of this name.
func TestAPackIsSealedAndOpened(t *testing.T) {
	d, sealed := sealedPack(t, diskXML)
	p, err := Open(sealed, d, day)
	if err != nil || p.ID != "Contoso.Disk" || p.Hash != HashOf([]byte(diskXML)) || len(p.Tasks) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	other, id, key := packKey(t, "Fabrikam.")
	if p, err := Open(sealed, other, day); !errors.Is(err, trust.ErrUnknownKey) || p != nil {
		t.Errorf("a key for others: %v", err)
	}
	if _, err := Open(sealed, d, day.Add(time.Hour)); !errors.Is(err, trust.ErrUnknownKey) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := Open([]byte(diskXML), d, day); !errors.Is(err, trust.ErrEnvelope) {
		t.Errorf("not sealed: %v", err)
	}
	if _, err := Seal([]byte("<x/>"), id, key); err == nil {
		t.Error("sealed with a fault")
	}
	if _, err := Seal([]byte(diskXML), "x", key); err == nil {
		t.Error("sealed under another id")
	}
	odd, err := trust.SignEnvelope(PayloadType, []byte("<x/>"), id, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(odd, d, day); err == nil || !strings.Contains(err.Error(), "allowed is ManagementPack") {
		t.Errorf("signed, and no pack: %v", err)
	}
	task, err := trust.SignEnvelope("application/vnd.statewire.task+xml", []byte(diskXML), id, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(task, d, day); !errors.Is(err, trust.ErrEnvelope) {
		t.Errorf("a task: %v", err)
	}
	var scripts strings.Builder
	for i := range 4 {
		scripts.WriteString(`<Task ID="Contoso.Disk.T` + string(rune('a'+i)) + `" Accessibility="Public" Class="benign" ` +
			`Timeout="1"><Name>n</Name><ProbeAction><Script Interpreter="/bin/sh">` + strings.Repeat("x", 200<<10) +
			`</Script></ProbeAction></Task>`)
	}
	large := strings.Replace(diskXML, "</Tasks>", scripts.String()+"</Tasks>", 1)
	if _, err := Parse([]byte(large)); err != nil {
		t.Error(err)
	}
	if _, err := Seal([]byte(large), id, key); err == nil || !strings.Contains(err.Error(), "allowed are 1048576") {
		t.Errorf("too large once it is sealed: %v", err)
	}
}

// No byte of a sealed pack can be changed.
func TestASealedPackWithAnyByteFlippedIsRefused(t *testing.T) {
	d, sealed := sealedPack(t, diskXML)
	for at := range sealed {
		changed := slices.Clone(sealed)
		changed[at] ^= 1 << (at % 8)
		if p, err := Open(changed, d, day); err == nil || p != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
}

// Sealed packs come from relays that may be anybody's: only what the key signed is opened.
func FuzzOpen(f *testing.F) {
	d, sealed := sealedPack(f, diskXML)
	f.Add(sealed)
	f.Add([]byte(`{"payloadType":"` + PayloadType + `","payload":"","signatures":[{"keyid":"","sig":""}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := Open(text, d, day); (err == nil) != bytes.Equal(text, sealed) {
			t.Fatal(err)
		}
	})
}

// Whatever is read, faults have places, and what has none can be run: its defaults are values that it may have.
func FuzzParse(f *testing.F) {
	for _, text := range []string{diskXML, overrides, string(utilityXML), "", "<ManagementPack Format=\"1\"/>"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			found, ok := errors.AsType[*Faults](err)
			if !ok || len(found.List) == 0 || len(found.List) > mostFaults {
				t.Fatalf("%v", err)
			}
			for _, fault := range found.List {
				if fault.Line < 1 || fault.Column < 1 || fault.Line > 1+bytes.Count(text, []byte("\n")) {
					t.Fatalf("%+v", fault)
				}
			}
			return
		}
		if p.Hash != HashOf(text) || Follows(p, p) != nil {
			t.Fatalf("%+v", p)
		}
		for _, task := range p.Tasks {
			runnable(t, task)
		}
	})
}

func runnable(t *testing.T, task Task) {
	t.Helper()
	needs := slices.ContainsFunc(task.Parameters, func(p Parameter) bool { return p.Required })
	values, err := task.Values(nil)
	if (err != nil) != needs {
		t.Fatalf("%+v: %v", task, err)
	}
	if task.Timeout <= 0 || !task.Class.Known() || task.OutputLimit <= 0 || !strings.Contains(task.ID, ".") {
		t.Fatalf("%+v", task)
	}
	if c := task.Action.Command; c != nil && !needs {
		if args := c.Fill(values); len(args) != len(c.Args) {
			t.Fatalf("%q of %q", args, c.Args)
		}
	}
}
