package refusals

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), FileName)
	if all, err := Read(file); all != nil || err != nil {
		t.Fatalf("no file: %v, %v", all, err)
	}
	want := []Refusal{{Slot: 1, Change: 1 << 60, Client: "c", Verified: true, Name: "<PC>", Address: "10.0.0.1",
		Time: time.Unix(1, 5).UTC(), Code: "k",
		Status: 400, Line: 2, Column: 3, Detail: "d", Retry: true, Count: 4, Taken: time.Unix(2, 0).UTC()}, {}}
	for _, list := range [][]Refusal{want, want[:1], {}} {
		if err := Write(file, list); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(file); err != nil || !reflect.DeepEqual(got, list) {
			t.Errorf("%+v, %v, want %+v", got, err, list)
		}
	}
	if !want[0].Over() || want[1].Over() {
		t.Error("over")
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := Read(file); err == nil || all != nil {
		t.Errorf("half a file: %v, %v", all, err)
	}
}
