package manager

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/notifier/wire"
)

// A result file that is copied back, in whatever order, changes nothing: neither counts nor what waits for the tables.
func TestAResultFileThatLoadsAgainChangesNothing(t *testing.T) {
	b := newBench(t)
	task := b.asks(1, 2, 3, 4)
	failed := said(task, 3, wire.StepFailed)
	failed.Code, failed.ExitCode, failed.Output = "exit", 7, wire.Output{Size: 3, Text: "bad"}
	files := []wire.Results{
		told(1, said(task, 1, wire.StepPushed), said(task, 2, wire.StepReceived), said(task, 3, wire.StepReceived)),
		told(2, said(task, 1, wire.StepSucceeded), failed),
		told(3, said(task, 2, wire.StepRunning), said(task, 9, wire.StepSucceeded)),
	}
	for _, f := range files {
		b.putResults(f)
		b.step()
	}
	const want = "1 failed, 1 queued, 1 running, 1 succeeded, 1 succeeded unsolicited"
	if got := b.counts(task); got != want {
		t.Fatalf("loaded: %s, want %s", got, want)
	}
	counter := b.counter
	for range 3 {
		for _, f := range slices.Backward(files) {
			b.putResults(f)
			b.putResults(f)
		}
		b.step()
		b.restart()
		b.deps.Audit = heedless{}
	}
	if got := b.counts(task); got != want || b.counter != counter {
		t.Errorf("copied back: %s, version %d was %d", got, b.counter, counter)
	}
	if left := b.files("."); len(left) > 0 {
		t.Errorf("left in the box: %v", left)
	}
}

// A result file is removed only once its results are on the disk; one that stays is loaded once.
func TestAResultFileIsRemovedOnlyOnceItIsKept(t *testing.T) {
	b := newBench(t)
	task := b.asks(1, 2)
	name := b.putResults(told(1, said(task, 1, wire.StepSucceeded)))
	if err := b.db.Close(); err != nil { // what is written now fails
		t.Fatal(err)
	}
	b.step()
	if !slices.Contains(b.files("."), name) {
		t.Fatal("the results could not be kept, and the file is gone")
	}
	b.open()
	if got := b.counts(task); got != "2 queued" {
		t.Fatalf("something is known that could not be kept: %s", got)
	}
	data, err := os.ReadFile(filepath.Join(b.cfg.Box, name))
	if err != nil {
		t.Fatal(err)
	}
	b.step()
	if got := b.counts(task); got != "1 queued, 1 succeeded" || len(b.files(".")) > 0 {
		t.Errorf("the next start: %s, left %v", got, b.files("."))
	}
	b.drop(name, data) // a kill between the results and the removal
	counter := b.counter
	if b.restart(); b.counts(task) != "1 queued, 1 succeeded" {
		t.Errorf("after a kill: %s", b.counts(task))
	}
	if b.step(); b.counts(task) != "1 queued, 1 succeeded" || b.counter != counter || len(b.files(".")) > 0 {
		t.Errorf("after a kill: %s, version %d was %d, left %v", b.counts(task), b.counter, counter, b.files("."))
	}
}

// A client that cannot be read leaves the others of its file, and is kept with the reason.
func TestABadClientOfAResultFileIsLeftOutAndKept(t *testing.T) {
	b := newBench(t)
	task := b.asks(1, 2, 3)
	text := string(told(1, said(task, 1, wire.StepSucceeded), said(task, 2, wire.StepSucceeded),
		said(task, 3, wire.StepSucceeded)).Encode())
	b.drop("BgbAAAAAAAA.BTS", []byte(strings.Replace(text, "GUID:"+strings.ToUpper(id(2).String()), "", 1)))
	b.step()
	if got := b.counts(task); got != "1 queued, 2 succeeded" {
		t.Errorf("counts %s", got)
	}
	if got, want := b.files("bad"), []string{"BgbAAAAAAAA.2.BTS", "BgbAAAAAAAA.2.BTS.reason.json"}; !slices.Equal(got,
		want) {
		t.Fatalf("kept %v, want %v", got, want)
	}
	if a := readReason(t, filepath.Join(b.cfg.Box, "bad", "BgbAAAAAAAA.2.BTS.reason.json")); a.Row != 2 || a.Server != 1 ||
		a.File != "BgbAAAAAAAA.BTS" {
		t.Errorf("reason %+v", a)
	}
	if got := b.messageIDs(); !slices.Contains(got, wire.BadFile) {
		t.Errorf("messages %v, want one of a bad file", got)
	}
	if n := counted(t, b.metrics.results.WithLabelValues(resultBad)); n != 1 {
		t.Errorf("%g bad results are counted, want 1", n)
	}
	if n := counted(t, b.metrics.resultFiles.WithLabelValues("loaded")); n != 1 {
		t.Errorf("%g files are counted, want 1", n)
	}
}

func TestResultFilesThatCannotBeLoadedAreSetAside(t *testing.T) {
	b := newBench(t)
	task := b.asks(1)
	stranger, other := told(1, said(task, 1, wire.StepSucceeded)), told(1, said(task, 1, wire.StepSucceeded))
	stranger.Server, other.ServerID = "push9", 9
	second := told(1, said(task, 1, wire.StepSucceeded))
	second.ServerID = 2 // push2's id under push1's name
	for i, c := range []struct {
		name   string
		data   []byte
		reason string
	}{
		{"of a server with another name", stranger.Encode(), "none of this site"},
		{"of a server with another id", other.Encode(), "none of this site"},
		{"of another server's id", second.Encode(), "none of this site"},
		{"a presence file by another name", full(1, on(1, 8, 1, 0)).Encode(), "root element"},
		{"no XML", []byte("hello"), "root element"},
		{"empty", nil, "the file is empty"},
		{"cut off", told(1, said(task, 1, wire.StepSucceeded)).Encode()[:300], "the file ends too early"},
	} {
		name := b.drop(fmt.Sprintf("BgbAAAAAA%02d.BTS", i), c.data)
		b.step()
		if len(b.files(".")) > 0 {
			t.Errorf("%s: left %v", c.name, b.files("."))
			continue
		}
		if a := readReason(t, filepath.Join(b.cfg.Box, "bad", name+".reason.json")); !strings.Contains(a.Reason, c.reason) {
			t.Errorf("%s: %+v", c.name, a)
		}
		if kept, err := os.ReadFile(filepath.Join(b.cfg.Box, "bad", name)); err != nil || string(kept) != string(c.data) {
			t.Errorf("%s: kept %q, %v", c.name, kept, err)
		}
	}
	if got := b.counts(task); got != "1 queued" {
		t.Errorf("counts %s", got)
	}
	if n := counted(t, b.metrics.resultFiles.WithLabelValues("bad")); n != 7 {
		t.Errorf("%g bad files are counted, want 7", n)
	}
	for i := range 20 { // the flood
		b.drop(fmt.Sprintf("BgbBBBBBB%02d.BTS", i), []byte("bad"))
		b.step()
	}
	if got := len(b.files("bad/unknown")); got == 0 {
		t.Error("a flood has no folder of its own")
	}
}

// A result file that is copied into the folder, and met while it is half there, is whole a moment later.
func TestAResultFileThatIsBeingWrittenIsNotBad(t *testing.T) {
	b := newBench(t)
	task := b.asks(1)
	text := told(1, said(task, 1, wire.StepSucceeded)).Encode()
	for _, part := range [][]byte{nil, text[:200], text} {
		path := filepath.Join(b.cfg.Box, b.drop("BgbAAAAAAAA.bts", part))
		if err := os.Chtimes(path, b.now, b.now); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(writtenFor - time.Millisecond)
		b.step()
		if got := b.files("bad"); len(got) > 0 {
			t.Fatalf("set aside with %d bytes: %v", len(part), got)
		}
	}
	if got := b.counts(task); got != "1 succeeded" || len(b.files(".")) > 0 {
		t.Errorf("counts %s, left %v", got, b.files("."))
	}
}
