package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/store"
)

// A full disk fails the insert with a code that says so, keeps what was stored, and
// goes on when there is room again, in the same process.
func TestFullDiskFailsInsertsAndRecovers(t *testing.T) {
	needRoot(t)
	d := &disk{dir: t.TempDir()}
	d.run(t, "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", d.dir)
	d.unmountAfter(t)
	if out, err := d.role(t, "full").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// fillDisk inserts until the disk is full, makes room and inserts again.
func fillDisk(dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.DefaultConfig(), store.Options{Access: store.Own, Dir: dir})
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 24<<20), 0o600); err != nil {
		return err
	}
	stored := uint64(0)
	for err == nil && stored < 1000 {
		if err = insertColumns(ctx, s, insertMessages, someMessages(20_000, stored)); err == nil {
			stored++
		}
	}
	var ex *clickhouse.Exception
	if !errors.As(err, &ex) || ex.Code != 243 {
		return fmt.Errorf("the disk is full after %d inserts: %w, want code 243", stored, err)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := insertColumns(ctx, s, insertMessages, someMessages(20_000, stored)); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	var rows uint64
	if err := s.Conn().QueryRow(ctx, "SELECT count() FROM state_messages FINAL").Scan(&rows); err != nil {
		return err
	}
	if want := 20_000 * (stored + 1); rows != want {
		return fmt.Errorf("%d rows are stored, want %d", rows, want)
	}
	return s.Close()
}
