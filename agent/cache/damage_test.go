package cache

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// However a store file is cut short or overwritten, opening it ends soon, with its name and what to do, and never with
// the text of a panic. A file that still opens has lost nothing that a check would find.
func TestADamagedFileIsNamedWithoutAPanic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.db")
	b, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		s := detected(fmt.Sprint("topic", i), 1)
		s.Details = strings.Repeat("x", 100)
		if err := b.Client(b.Own()).Put(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for i := range 120 {
		bad := append([]byte(nil), whole...)
		how := ""
		if i%2 == 0 {
			n := random.IntN(len(bad))
			if i%4 == 0 {
				n -= n % 4096
			}
			bad, how = bad[:n], fmt.Sprintf("cut to %d of %d bytes", n, len(whole))
		} else {
			at := random.IntN(len(bad) - 16)
			for j := range 16 {
				bad[at+j] ^= byte(1 + random.IntN(255))
			}
			how = fmt.Sprintf("16 bytes at %d", at)
		}
		damagedPath := filepath.Join(dir, fmt.Sprintf("bad%d.db", i))
		if err := os.WriteFile(damagedPath, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			b, err := Open(damagedPath, Options{})
			if err == nil {
				err = b.Close()
			}
			ended <- err
		}()
		select {
		case err = <-ended:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: opening hangs", how)
		}
		if err == nil {
			continue
		}
		refused++
		text := err.Error()
		for _, odd := range []string{"panic", "runtime error", "goroutine", "index out of range", "invalid memory",
			"unexpected fault", "assertion", "<nil>", "0x"} {
			if strings.Contains(text, odd) {
				t.Errorf("%s: the refusal holds %q: %s", how, odd, text)
			}
		}
		if !strings.Contains(text, damagedPath) {
			t.Errorf("%s: the refusal does not name the file: %s", how, text)
		}
	}
	if refused < 55 {
		t.Errorf("%d of 120 were refused: the test damages too little", refused)
	}
}
