package manager

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"statewire/notifier/wire"
)

// tinyDisk mounts a small file system for one test.
func tinyDisk(t *testing.T, options string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("mounts a file system")
	}
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("statewire-test", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// On a full disk nothing is half done: a task is not taken, a result and its file stay with the server, and once there
// is room all of it is loaded. A stop holds meanwhile.
func TestAFullDiskLosesNothing(t *testing.T) {
	b := newBench(t)
	b.office = newOffice()
	b.cfg.Live = Live{Tasks: DefaultTasksConfig()}
	b.cfg.Dir = filepath.Join(tinyDisk(t, "size=32m"), "notifier")
	b.restart()

	b.connect(200)
	filler := filepath.Join(filepath.Dir(b.cfg.Dir), "filler")
	task := b.create(admin, Order{Name: "Event", Clients: upTo(200), Expect: 200})
	var results []wire.Result
	for _, p := range b.pushes(1, 1) {
		results = append(results, wire.Result{Task: p.Task, Push: p.Push, Client: p.Client, Step: wire.StepSucceeded,
			Pushed: b.now, Pushes: 1, Output: wire.Output{Size: 20_000, Text: strings.Repeat("x", 20_000)}})
	}
	if len(results) != 200 {
		t.Fatalf("%d pushes", len(results))
	}
	fill(t, filler)
	told := wire.Results{Server: "push1", ServerID: 1, Epoch: 1, Version: 1, Time: b.now, Results: results}
	if err := b.Results(t.Context(), told); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("results on a full disk: %v", err)
	}
	name := b.putResults(told)
	b.step()
	if left := b.files("."); len(left) != 1 || left[0] != name {
		t.Errorf("the file of results: %v", left)
	}
	before := len(b.office.lines)
	if _, err := b.Create(t.Context(), admin, Order{Name: "Event", Clients: upTo(5000), Expect: 5000}); !errors.Is(err,
		syscall.ENOSPC) {
		t.Errorf("a task on a full disk: %v", err)
	}
	if lines := b.office.lines[before:]; len(lines) != 2 || lines[1] == "task.push done" {
		t.Errorf("the audit log says %v", lines)
	}
	_ = b.Stop(t.Context(), admin, "full")
	if stopped, _, _, _ := b.Stopped(); !stopped {
		t.Error("a full disk keeps the stop from servers")
	}
	if s, _ := b.show("1"); s.Counts.Queued != 200 {
		t.Errorf("%+v", s.Counts)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := b.Resume(t.Context(), admin, ""); err != nil {
		t.Error(err)
	}
	b.now = b.now.Add(10 * time.Second)
	b.step()
	for range 2 {
		if s, steps := b.show(task.Task.String()); s.Counts.Succeeded != 200 || s.State != TaskEnded || len(steps) != 200 {
			t.Errorf("with room again: %+v", s)
		}
		if left := b.files("."); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		if list, err := b.List(t.Context(), admin, ListOptions{}); err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		b.restart()
	}
}

// fill leaves no room on a disk.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
