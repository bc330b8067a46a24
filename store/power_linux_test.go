package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"statewire/store"
)

// Shorter runs do not show what is lost without the merge settings: a source of a
// merge has to be removed before its result is on disk.
const (
	powerInserts = 600
	powerTime    = 40 * time.Second
	powerRows    = 50 // of one insert
)

// The power goes while rows are inserted and parts merge. What was acknowledged is
// there afterwards, and the engine opens by itself.
//
// It must pass with STATEWIRE_TEST_MUTANT=brief as well: the sources of a merge go at
// once there, ten seconds earlier than a store lets them go.
// With STATEWIRE_TEST_MUTANT=M5 (merges are not synced) or M6 (nothing is) the test
// must fail.
func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	if os.Getenv("CI") != "true" && os.Getenv("STATEWIRE_TEST_POWER") == "" {
		t.Skip("takes two minutes and wants root; set STATEWIRE_TEST_POWER=1")
	}
	needRoot(t)
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) { cutPower(t, kind) })
	}
}

func cutPower(t *testing.T, kind string) {
	disk := newDisk(t, kind)
	acked := disk.writeUntilCut(t)
	disk.run(t, "umount", disk.dir)
	disk.run(t, "mount", "-o", "loop", disk.image, disk.dir)
	out, err := disk.role(t, "check").Output()
	var failed *osexec.ExitError
	if errors.As(err, &failed) {
		t.Fatalf("after the cut: %v: %s", err, failed.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	stored := map[int]bool{}
	for line := range strings.Lines(string(out)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("the check said %q", line)
		}
		stored[n] = true
	}
	missing := 0
	for n := range acked {
		if !stored[n] {
			missing++
		}
	}
	t.Logf("%d inserts acknowledged, %d missing", acked, missing)
	if missing > 0 {
		t.Errorf("%d of %d acknowledged inserts are missing or not whole", missing, acked)
	}
}

// disk is a file system of the test's own.
type disk struct{ image, dir string }

func newDisk(t *testing.T, kind string) *disk {
	t.Helper()
	d := &disk{filepath.Join(t.TempDir(), "image"), t.TempDir()}
	file, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Truncate(2<<30), file.Close()); err != nil {
		t.Fatal(err)
	}
	if kind == "ext4" {
		d.run(t, "mkfs.ext4", "-q", "-F", d.image)
	} else {
		d.run(t, "mkfs."+kind, "-q", d.image)
	}
	d.run(t, "mount", "-o", "loop", d.image, d.dir)
	d.unmountAfter(t)
	return d
}

// needRoot leaves the test to who can mount a file system; continuous integration
// has to be able to.
func needRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("mounts a file system")
	}
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("wants root, for a file system of its own")
	default:
		t.Skip("only root can mount a file system of its own")
	}
}

func (d *disk) unmountAfter(t *testing.T) {
	t.Cleanup(func() {
		if err := osexec.Command("umount", "-l", d.dir).Run(); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}

func (d *disk) run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := osexec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// role is this test binary at work on the disk.
func (d *disk) role(t *testing.T, role string) *osexec.Cmd {
	cmd := osexec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "STATEWIRE_TEST_ROLE="+role, "STATEWIRE_TEST_PATH="+d.dir)
	return cmd
}

// writeUntilCut runs the writer, cuts the power under it and returns how many
// inserts it had acknowledged.
func (d *disk) writeUntilCut(t *testing.T) int {
	t.Helper()
	cmd := d.role(t, "write")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var cut atomic.Bool
	acked := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		acked++
		if acked >= powerInserts && time.Since(began) >= powerTime && cut.CompareAndSwap(false, true) {
			d.cut(t)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if !cut.Load() {
		t.Fatalf("the writer ended before the cut, after %d inserts: %v", acked, err)
	}
	return acked
}

// cut makes the file system forget, at once, everything that is not on its disk.
func (d *disk) cut(t *testing.T) {
	t.Helper()
	const shutdown, noLogFlush = 0x8004587D, 2 // FS_IOC_SHUTDOWN
	dir, err := os.Open(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), shutdown, noLogFlush); err != nil {
		t.Fatalf("cut the power: %v", err)
	}
}

var roles = map[string]func(dir string) error{"write": powerWrite, "check": powerCheck, "fill": fill, "parts": parts,
	"full": fillDisk}

// powerWrite inserts for ever and says so after each acknowledgement.
func powerWrite(dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.DefaultConfig(), store.Options{Access: store.Own, Dir: dir})
	if err != nil {
		return err
	}
	if err := mutate(ctx, s); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if err := insertColumns(ctx, s, insertMessages, powerMessages(n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// powerMessages are the rows of the nth insert, all of one client.
func powerMessages(n int) *messages {
	m := someMessages(powerRows, uint64(n))
	for i := range m.clients {
		m.clients[i] = [16]byte{0: byte(n >> 16), 1: byte(n >> 8), 2: byte(n)}
		m.serial[i] = uint64(i + 1)
		m.topicID[i] = fmt.Sprint(i)
	}
	return m
}

// mutate takes away what protects the rows.
func mutate(ctx context.Context, s *store.Store) error {
	mutants := map[string]string{
		"": "",
		// No mutant: how little the sources of a merge are needed once its result is synced.
		"brief": "old_parts_lifetime = 0",
		"M5":    "min_rows_to_fsync_after_merge = 0, min_compressed_bytes_to_fsync_after_merge = 0, old_parts_lifetime = 0",
		"M6": "fsync_after_insert = 0, fsync_part_directory = 0, min_rows_to_fsync_after_merge = 0, " +
			"min_compressed_bytes_to_fsync_after_merge = 0, old_parts_lifetime = 0",
	}
	settings, ok := mutants[os.Getenv("STATEWIRE_TEST_MUTANT")]
	if !ok {
		return fmt.Errorf("no mutant %q", os.Getenv("STATEWIRE_TEST_MUTANT"))
	}
	if settings == "" {
		return nil
	}
	for _, table := range []string{"state_messages", "current_states_data", "instant_states_data", "completions_data",
		"client_stats_data"} {
		if err := s.Conn().Exec(ctx, "ALTER TABLE "+table+" MODIFY SETTING "+settings); err != nil {
			return err
		}
	}
	return nil
}

// powerCheck prints every insert that is there as a whole, in the history and in the
// current states.
func powerCheck(dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.DefaultConfig(), store.Options{Access: store.Own, Dir: dir})
	if err != nil {
		return err
	}
	var detached uint64
	if err := s.Conn().QueryRow(ctx, "SELECT count() FROM system.detached_parts").Scan(&detached); err != nil {
		return err
	}
	if detached > 0 {
		return fmt.Errorf("%d parts are broken and set aside", detached)
	}
	rows, err := s.Conn().Query(ctx, `SELECT toUInt64(reinterpretAsUInt32(reverse(unhex(substring(replaceAll(toString(client_id), '-', ''), 1, 6))))) AS n
		FROM (SELECT client_id, count() AS messages FROM state_messages FINAL GROUP BY client_id) AS m
		JOIN (SELECT client_id, count() AS states FROM current_states GROUP BY client_id) AS c USING (client_id)
		WHERE messages = {rows:UInt64} AND states >= {rows:UInt64}`, namedUint("rows", powerRows))
	if err != nil {
		return err
	}
	for rows.Next() {
		var n uint64
		if err := rows.Scan(&n); err != nil {
			return err
		}
		fmt.Println(n)
	}
	return errors.Join(rows.Err(), rows.Close(), s.Close())
}
