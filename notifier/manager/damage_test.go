package manager

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/notifier/wire"
)

// A state file that was cut short or overwritten is told of, and ends nothing: a relay may run in the same process.
// Once it is moved away, the next try starts.
func TestADamagedStateFileIsAnError(t *testing.T) {
	b := newBench(t)
	var rows []wire.Row
	for n := range 2000 {
		rows = append(rows, on(n+1, 1, 1, 0))
	}
	b.load(full(1, rows...))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.cfg.Dir, stateFile)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{1, 100, 4096, 8192, 16384, 20000, 65536, len(sound) / 2} {
		for name, damaged := range map[string][]byte{
			"cut":         sound[:at],
			"overwritten": append(bytes.Clone(sound[:at]), bytes.Repeat([]byte{0, 7, 14}, (len(sound)-at)/3)...),
			"zeros":       append(bytes.Clone(sound[:at]), make([]byte, len(sound)-at)...),
		} {
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			m, err := Open(b.cfg, Deps{})
			if err == nil {
				if len(m.clients) != len(rows) {
					t.Errorf("%s at %d: opened with %d clients", name, at, len(m.clients))
				}
				err = m.Close()
			} else if !strings.Contains(err.Error(), "away, and presence is learned anew") {
				t.Errorf("%s at %d: %v", name, at, err)
			}
			if errors.Is(err, os.ErrClosed) || time.Since(began) > fileWait {
				t.Errorf("%s at %d: %v after %v", name, at, err, time.Since(began))
			}
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	b.open()
	b.load(full(2, rows...))
	b.want("learned anew", 2000, "online 1 1.1 signin")
}
