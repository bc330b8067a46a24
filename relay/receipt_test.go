package relay

import (
	"bytes"
	"strings"
	"testing"
)

func TestReceipts(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for range 1000 {
		id := newID()
		if len(id) != 36 || id[14] != '7' || !strings.Contains("89ab", id[19:20]) || seen[id] {
			t.Fatalf("id %q", id)
		}
		if id[:13] < last {
			t.Fatalf("%q comes before %q", id, last)
		}
		seen[id], last = true, id[:13]
	}
	if got, want := string(appendReceipt(nil, "r", "f.SMX",
		10)), "{\"receipt\":\"r\",\"file\":\"f.SMX\",\"messages\":10}\n"; got != want {
		t.Errorf("%q", got)
	}
	if !bytes.Equal(appendReceipt([]byte("x"), "", "", 0)[:1], []byte("x")) {
		t.Error("does not append")
	}
}
