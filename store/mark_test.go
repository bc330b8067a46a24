package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statewire/store"
)

// A mark that cannot be read keeps no relay from starting, is refused by whoever wants
// the store, and stays as it is.
func TestAMarkThatCannotBeReadIsLeftToWhoeverOpensTheStore(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "remove the file",
		`{"format":1,"stor`:   "remove the file",
		`{"format":1,"store"`: "remove the file",
		`{"format":2}`:        "has format 2, this program knows 1",
	} {
		for _, folder := range []string{"store/data", "run"} {
			dir := t.TempDir()
			mkdir(t, dir, folder)
			path := filepath.Join(dir, store.MarkName)
			write(t, path, text)
			if err := store.Prepare(dir); err != nil {
				t.Errorf("%q beside %s: %v", text, folder, err)
			}
			if err := store.Expect(dir); err == nil || !strings.Contains(err.Error(), want) ||
				!strings.Contains(err.Error(), path) {
				t.Errorf("%q beside %s: %v, want %q", text, folder, err, want)
			}
			if is, err := os.ReadFile(path); string(is) != text || err != nil {
				t.Errorf("%q beside %s is %q, %v", text, folder, is, err)
			}
		}
	}
}
