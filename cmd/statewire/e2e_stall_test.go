//go:build unix

package main

import (
	"syscall"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
)

// A file is deleted after its rows are stored, never before: while the store does not answer, every file stays. A stop
// then gives up in time, and a second signal ends the process at once.
func TestFilesStayWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	data := siteDir(t) // else the reports wait for the loader to make the store
	relay := serve(t, data, "--roles", "relay")
	owner := serve(t, data, "--roles", "reports")
	loader := serve(t, data, "--roles", "ingest")
	to, l := relay.poster(), newLedger()
	to.accept(t, l, 1, 1, 3)
	loader.awaitDrained()

	owner.signal(syscall.SIGSTOP)
	for n := range uint64(10) {
		to.accept(t, l, 2, 1+3*n, 3+3*n)
	}
	if !eventually(patience, func() bool { return len(claims(t, data)) > 0 }) {
		t.Fatal("nothing was claimed")
	}
	had := len(waiting(t, data))
	if eventually(2*time.Second, func() bool { return len(waiting(t, data)) < had }) {
		t.Errorf("%d files are left of %d, though no row was stored", len(waiting(t, data)), had)
	}
	loader.signal(syscall.SIGTERM)
	if eventually(200*time.Millisecond, loader.ended) {
		t.Error("the loader ended before it had given the batch in hand its time")
	}
	began := time.Now()
	loader.signal(syscall.SIGTERM)
	if code := loader.wait(patience); code != cli.ExitFailed {
		t.Errorf("after a second signal it ended with %d, want %d", code, cli.ExitFailed)
	}
	promised(t, time.Since(began), 2*time.Second, "the end after a second signal")

	owner.signal(syscall.SIGCONT)
	serve(t, data, "--roles", "ingest").awaitDrained()
	l.check(t, data)
}
