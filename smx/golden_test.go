package smx_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"statewire/fixtures"
)

// What the samples mean stays as it is, payload hashes included: files of
// every version so far load for ever, and stored hashes depend on the layout.
// UPDATE_GOLDEN=1 rewrites the file.
func TestSamplesMeanTheSameForEver(t *testing.T) {
	t.Parallel()
	got := map[string]rows{}
	for _, name := range append(fixtures.Seed002(), fixtures.InstantDetails, fixtures.RelayWritten) {
		b, err := agree(t, fixtures.Sample(name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := rowsOf(b)
		for i := range b.Bad {
			r.Bad[i].Err = b.Bad[i].Err
		}
		for i := range b.BadReports {
			r.BadReports[i].Err = b.BadReports[i].Err
		}
		got[name] = r
	}
	text, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile("../fixtures/golden/samples.json", text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(text, fixtures.Golden("samples.json")) {
		t.Errorf("samples differ from fixtures/golden/samples.json; compare them, then run with UPDATE_GOLDEN=1\n%s",
			text)
	}
}

// The report shown in the documentation is one.
func TestDocumentedReportLoads(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/smx-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, _ := bytes.Cut(page, []byte("```xml\n"))
	doc, _, _ = bytes.Cut(doc, []byte("```"))
	if b := decodeOne(t, doc); b.Len() != 1 || b.Details[0] != "anything" || !b.Reports[0].EncodingMismatch {
		t.Errorf("%+v", rowsOf(b))
	}
}
