package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"statewire/store"
)

// A site's whole process has to stay below 1 GiB. The rows of the test stand for the
// loader's; a relay comes on top.
const memoryLimit = 896 << 20

func TestMemoryStaysBoundedWhileInserting(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the engine")
	}
	if raceDetector {
		t.Log("the race detector's own memory is not the store's")
		return
	}
	d := disk{dir: t.TempDir()}
	out, err := d.role(t, "fill").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	peak, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		t.Fatalf("the writer said %q", out)
	}
	t.Logf("peak resident memory %d MiB", peak>>20)
	if peak > memoryLimit {
		t.Errorf("peak resident memory is %d MiB, allowed are %d", peak>>20, int64(memoryLimit)>>20)
	}
}

// fill inserts from two threads while parts merge and dashboards ask, and prints the
// process's peak resident memory.
func fill(dir string) error {
	const batches = 6
	ctx := context.Background()
	s, err := store.Open(ctx, store.DefaultConfig(), store.Options{Access: store.Own, Dir: dir})
	if err != nil {
		return err
	}
	var work errgroup.Group
	for thread := range 2 {
		work.Go(func() error {
			for i := range batches {
				if err := insertColumns(ctx, s, insertMessages, someMessages(benchRows, uint64(thread*batches+i))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	work.Go(func() error {
		for range batches {
			for _, sql := range []string{
				"SELECT topic_type, state_id, count() FROM current_states GROUP BY ALL FORMAT Null",
				"SELECT client_id, uniqExact(serial), max(message_time) FROM state_messages FINAL GROUP BY client_id FORMAT Null",
				"SELECT * FROM SR_ClientMessageStats ORDER BY LastMessageTime FORMAT Null",
			} {
				if err := s.ReadOnly().Exec(ctx, sql); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err := work.Wait(); err != nil {
		return err
	}
	if err := s.Conn().Exec(ctx, "OPTIMIZE TABLE state_messages FINAL"); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	var kib int64
	if _, err := fmt.Sscan(string(rest), &kib); err != nil {
		return err
	}
	fmt.Println(kib << 10)
	return s.Close()
}
