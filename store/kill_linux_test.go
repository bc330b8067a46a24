package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"statewire/store"
	"statewire/store/storetest"
)

// A loader that is killed starts again from its files: it repeats inserts that were
// acknowledged, and some that were stored in one table and not in the next. Nothing
// may be missing or doubled, and nobody has to clear anything away.
func TestKilledWriterRepeatsItsInserts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the engine")
	}
	d := &disk{dir: t.TempDir()}
	most := 0
	for _, acks := range []int{15, 8, 25} {
		most = max(most, d.writeAndKill(t, acks))
	}
	out, err := d.role(t, "check").Output()
	var failed *osexec.ExitError
	if errors.As(err, &failed) {
		t.Fatalf("%v: %s", err, failed.Stderr)
	}
	stored := map[int]bool{}
	for line := range strings.Lines(string(out)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("the check said %q", line)
		}
		stored[n] = true
	}
	for n := range most {
		if !stored[n] {
			t.Errorf("insert %d of %d acknowledged is not there exactly once in every table", n, most)
		}
	}
}

// writeAndKill runs the writer from its first insert on, kills it and returns how
// many inserts it had acknowledged.
func (d *disk) writeAndKill(t *testing.T, acks int) int {
	t.Helper()
	cmd := d.role(t, "write")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if acked++; acked == acks {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); acked < acks {
		t.Fatal(fmt.Errorf("the writer ended after %d inserts: %w: %s", acked, err, said.String()))
	}
	return acked
}

func TestDamagedStoreIsNotOpenedAndSaysWhatToDo(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the engine")
	}
	d := &disk{dir: t.TempDir()}
	if out, err := d.role(t, "parts").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	damaged := 0
	err := filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "columns.txt" {
			damaged++
			err = os.Truncate(path, 3)
		}
		return err
	})
	if err != nil || damaged < manyParts {
		t.Fatalf("damaged %d parts: %v", damaged, err)
	}
	out, err := d.role(t, "check").CombinedOutput()
	text := string(out)
	if err == nil || !strings.Contains(text, store.ErrDamaged.Error()) || !strings.Contains(text, "docs/store.md") {
		t.Errorf("said %q (%v)", text, err)
	}
	if len(text) > 1000 || strings.Count(text, "\n") != 1 {
		t.Errorf("said too much: %q", text)
	}
}

func TestBrokenPartsAreReported(t *testing.T) {
	s := storetest.New(t)
	exec(t, s, "INSERT INTO serial_ranges (client_id, first_serial, last_serial) SELECT generateUUIDv4(), 1, 9")
	var path string
	if err := s.Conn().QueryRow(t.Context(),
		"SELECT path FROM system.parts WHERE database = currentDatabase() AND table = 'serial_ranges'").Scan(
		&path); err != nil {
		t.Fatal(err)
	}
	exec(t, s, "DETACH TABLE serial_ranges")
	if err := os.Truncate(filepath.Join(path, "columns.txt"), 3); err != nil {
		t.Fatal(err)
	}
	exec(t, s, "ATTACH TABLE serial_ranges")
	var log strings.Builder
	reg := prometheus.NewRegistry()
	opt := store.Options{Keep: true, Registerer: reg, Log: slog.New(slog.NewTextHandler(&log, nil))}
	if _, err := storetest.AgainWith(t, s, store.DefaultConfig(), opt); err != nil {
		t.Fatal(err)
	}
	got, err := reg.Gather()
	if err != nil || len(got) != 4 || got[0].GetMetric()[0].GetGauge().GetValue() != 1 ||
		!strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("metrics %v, %v, log %q", got, err, log.String())
	}
}

// manyParts is more than the engine sets aside by itself.
const manyParts = 110

// parts makes many of them.
func parts(dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.DefaultConfig(), store.Options{Access: store.Own, Dir: dir})
	if err != nil {
		return err
	}
	if err := s.Conn().Exec(ctx, "SYSTEM STOP MERGES"); err != nil {
		return err
	}
	for n := range manyParts {
		if err := s.Conn().Exec(s.InsertContext(ctx),
			fmt.Sprintf("INSERT INTO serial_ranges (client_id, first_serial, last_serial) SELECT generateUUIDv4(), %d, 9",
				n)); err != nil {
			return err
		}
	}
	return s.Close()
}
