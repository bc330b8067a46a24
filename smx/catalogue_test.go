package smx_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"statewire/fixtures"
	"statewire/smx"
)

// catalogue is built once; nothing changes its documents.
var catalogue = sync.OnceValue(func() []fixtures.Case { return append(fixtures.Syntax(), fixtures.Meaning()...) })

// Every input of the catalogue has its outcome, by the decoder, by Check and
// by the reference.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	for _, c := range catalogue() {
		t.Run(fmt.Sprintf("%d %s", c.Row, c.Name), func(t *testing.T) {
			b, err := agree(t, c.Data)
			if got := codeOf(err); got != c.Code {
				t.Fatalf("refused with %q, want %q: %v", got, c.Code, err)
			}
			if b.Len() != c.Messages || len(b.Bad) != len(c.Bad) {
				t.Fatalf("%d messages and %d records set aside, want %d and %d: %+v", b.Len(), len(b.Bad), c.Messages,
					len(c.Bad), b.Bad)
			}
			for i, code := range c.Bad {
				if b.Bad[i].Err.Code != code {
					t.Errorf("record set aside with %q, want %q", b.Bad[i].Err.Code, code)
				}
			}
		})
	}
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return err.(*smx.Error).Code
}

// The text, place and code of every refusal of the catalogue stay as they are:
// scripts and people rely on them. UPDATE_GOLDEN=1 rewrites the file.
func TestErrorsAreGolden(t *testing.T) {
	t.Parallel()
	got := map[string][]smx.Error{}
	for _, c := range catalogue() {
		var b smx.Batch
		name := fmt.Sprintf("%d %s", c.Row, c.Name)
		if err := smx.NewDecoder().Decode(c.Data, &b); err != nil {
			got[name] = append(got[name], *err.(*smx.Error))
		}
		for _, bad := range b.Bad {
			got[name] = append(got[name], bad.Err)
		}
	}
	text, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile("../fixtures/golden/errors.json", text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(text, fixtures.Golden("errors.json")) {
		t.Errorf("errors differ from fixtures/golden/errors.json; compare them, then run with UPDATE_GOLDEN=1\n%s",
			text)
	}
}

// No document of the catalogue that loads does so without its end.
func TestTruncatedReportsAreRefused(t *testing.T) {
	t.Parallel()
	docs := [][]byte{fixtures.Report(fixtures.Message), fixtures.Sample(fixtures.InstantDetails)}
	for _, name := range fixtures.Seed002() {
		docs = append(docs, fixtures.Sample(name))
	}
	for _, doc := range docs {
		end := bytes.LastIndex(doc, []byte("t\x00>"))
		if end < 0 {
			end = bytes.LastIndex(doc, []byte("</Report>")) + len("</Report>") - 2
		}
		d := smx.NewDecoder()
		for i := range doc[:end+2] {
			if err := d.Decode(doc[:i], &smx.Batch{}); err == nil {
				t.Fatalf("accepted when cut to %d of %d bytes", i, len(doc))
			}
			if _, err := d.Check(doc[:i]); err == nil {
				t.Fatalf("Check accepts when cut to %d of %d bytes", i, len(doc))
			}
		}
	}
}

// A document type declaration costs next to nothing, whatever follows it.
func TestDoctypeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	large := append([]byte("<!DOCTYPE Report ["), bytes.Repeat([]byte("<!ENTITY a \"b\">"), 500_000)...)
	for _, c := range catalogue() {
		if c.Code == smx.CodeDoctype {
			large := large
			if c.Row == 48 {
				large = c.Data
			}
			fastest := time.Hour
			for range 50 {
				start := time.Now()
				if err := smx.NewDecoder().Decode(large, &smx.Batch{}); codeOf(err) != smx.CodeDoctype {
					t.Fatal(err)
				}
				fastest = min(fastest, time.Since(start))
			}
			if fastest > time.Millisecond {
				t.Errorf("%s took %v, want at most 1 ms", c.Name, fastest)
			}
		}
	}
}

// The sample of seed 002 is refused as printed, with its place, and means the
// same in every spelling and encoding once it is repaired.
func TestSeed002(t *testing.T) {
	t.Parallel()
	_, err := agree(t, fixtures.Sample(fixtures.Seed002AsPrinted))
	e, ok := err.(*smx.Error)
	if !ok || e.Code != smx.CodeSyntax || e.Line != 2 || e.Column != 814 {
		t.Errorf("as printed: %v", err)
	}
	var first uint64
	for _, name := range fixtures.Seed002() {
		b, err := agree(t, fixtures.Sample(name))
		if err != nil || b.Len() != 1 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, r := b.Message(0), b.Reports[0]
		if r.NetBIOSName != "STEVERAC64-2" || m.Serial != 1431 || m.TopicType != 500 || m.StateID != 2 ||
			len(m.Params) != 1 || m.Params[0] != "102" ||
			r.Client.UUID() != "f1b03089-9ea1-4a64-83dc-5f8e77bddeb4" || r.Priority != smx.NoPriority ||
			!m.Time.Equal(benchTime) {
			t.Errorf("%s: %+v\n%+v", name, r, m)
		}
		if first == 0 {
			first = b.Hash[0]
		}
		if b.Hash[0] != first || first != 0x1969ea24713073ba {
			t.Errorf("%s: payload hash %#x, want %#x", name, b.Hash[0], first)
		}
	}
}

// The bare report that the documentation prints is one, and has the payload hash printed there.
func TestTheDocumentedReport(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/smx-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := bytes.Cut(page, []byte("```xml\n"))
	block, _, _ = bytes.Cut(block, []byte("```"))
	var b smx.Batch
	if err := smx.NewDecoder().Decode(block, &b); err != nil || b.Len() != 1 {
		t.Fatalf("%d messages: %v", b.Len(), err)
	}
	if hash := fmt.Sprintf("%#016x", b.Hash[0]); !bytes.Contains(page, []byte("`"+hash+"`")) {
		t.Errorf("its payload hash is %s", hash)
	}
}

// Whatever one byte of a report becomes, the decoder and the reference agree:
// the decoder compares names many bytes at once.
func TestEveryByteChanged(t *testing.T) {
	t.Parallel()
	doc := fixtures.Report(message("<UserParameters", `<StateDetails Type="1">x</StateDetails><UserParameters`))
	for i := range doc {
		for _, flip := range []byte{0x20, 0x01, 0x04, 0x80} {
			changed := bytes.Clone(doc)
			changed[i] ^= flip
			agree(t, changed)
		}
	}
}
