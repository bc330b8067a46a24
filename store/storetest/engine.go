package storetest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"statewire/store"
)

// startEngine opens the engine of this test process, on a directory that the next
// test process removes: nothing tells a package that its last test has ended.
func startEngine() (*store.Store, error) {
	root := filepath.Join(tempDir(), "statewire-storetest")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("make the test engines' directory: %w", err)
	}
	if err := sweep(root); err != nil {
		return nil, err
	}
	dir := filepath.Join(root, strconv.Itoa(os.Getpid()))
	if err := begin(root, dir); err != nil {
		return nil, err
	}
	opt := store.Options{Access: store.Own, Dir: dir}
	if !benching() { // tests join few rows: to make and drop a table for each thread is a fifth of their time
		opt.Engine = []string{"--join_algorithm=hash"}
	}
	s, err := store.Open(context.Background(), store.DefaultConfig(), opt)
	if err != nil {
		return nil, err
	}
	return s, skipExitHandlers()
}

// tempDir is in memory where there is enough of it: hundreds of test tables sync
// every step. Benchmarks run on a disk.
func tempDir() string {
	const memory, enough = "/dev/shm", 4 << 30
	if benching() || freeBytes(memory) < enough {
		return os.TempDir()
	}
	return memory
}

func benching() bool {
	bench := flag.Lookup("test.bench")
	return bench != nil && bench.Value.String() != ""
}

// sweep removes what test processes left that are gone.
func sweep(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("look for old test engines: %w", err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid != os.Getpid() && alive(pid) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(root, entry.Name())); err != nil {
			return fmt.Errorf("remove an old test engine: %w", err)
		}
	}
	return nil
}

func alive(pid int) bool {
	process, err := os.FindProcess(pid)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}
