//go:build linux || darwin

package inbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"statewire/inbox/disk"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const (
	childRoot = "STATEWIRE_TEST_INBOX"
	childStep = "STATEWIRE_TEST_STEP"
)

// said is one line by which the child tells what it was told.
type said struct {
	What, Text, Name string
	Time             time.Time
}

// child runs the life of an inbox, killing its own process before the step it was asked to.
func child() {
	root := os.Getenv(childRoot)
	if root == "" {
		return
	}
	last, _ := strconv.Atoi(os.Getenv(childStep))
	d, err := quick().Open(root, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	n := 0
	d.disk = &steps{d.disk, func(string) error {
		if n++; n > last {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	}}
	out := json.NewEncoder(os.Stdout)
	if err := errors.Join(life(d, func(s said) { _ = out.Encode(s) }), d.Close()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// life puts files, claims them, and ends each in another way.
func life(d *Dir, say func(said)) error {
	for i, text := range []string{"a report that is loaded", "a bad report", "a report of the low lane"} {
		say(said{What: "offer", Text: text})
		if _, err := d.Put(Lane(i), []byte(text), time.Now()); err != nil {
			return err
		}
		say(said{What: "put", Text: text})
	}
	l, err := d.Loader(2, 2)
	if err != nil {
		return err
	}
	defer l.leave()
	for {
		c, err := l.Claim()
		if err != nil {
			return err
		}
		if c == nil {
			return l.Close()
		}
		for i, f := range c.Files {
			if err := endFile(c, f, i, say); err != nil {
				return err
			}
		}
	}
}

// leave lets go as the end of a process does.
func (l *Loader) leave() {
	for lane := range l.windows {
		_ = l.windows[lane].end()
	}
	_ = l.lock.Close()
}

func endFile(c *Chunk, f File, n int, say func(said)) error {
	data, err := f.Read(nil)
	if err != nil {
		return err
	}
	text := string(data)
	say(said{What: "claim", Text: text, Time: f.Claimed})
	record := "record of " + text
	say(said{What: "offer", Text: record})
	if err := setRecordAside(c, f, n+1, []byte(record), Reason{Code: "bad_serial"}); err != nil {
		return err
	}
	say(said{What: "record", Text: record, Name: fmt.Sprintf("%s.%d.SMX", f.Name, n+1)})
	if text == "a bad report" || text == "dropped 1" {
		if err := c.SetAside(f, Reason{Code: "xml_syntax"}); err != nil {
			return err
		}
		say(said{What: "aside", Text: text})
		return nil
	}
	say(said{What: "stored", Text: text})
	return c.Done(f)
}

func (g *ledger) hear(s said) {
	switch s.What {
	case "offer":
		g.offer(s.Text)
	case "put":
		g.accept(s.Text)
	case "claim":
		g.claimed[s.Text] = s.Time
	case "record":
		g.records[s.Name] = s.Text
	case "aside":
		g.aside[s.Text] = true
	case "stored":
		delete(g.kept, s.Text)
	}
}

func TestNoKillBreaksThePromises(t *testing.T) {
	for step := 0; ; step++ {
		root := filepath.Join(memoryDir(t), "statesys.box")
		lane := filepath.Join(root, disk.Folder(Normal).String())
		check(t, os.MkdirAll(lane, 0o700))
		g := newLedger()
		for i := range 2 {
			text := fmt.Sprint("dropped ", i)
			check(t, os.WriteFile(filepath.Join(lane, fmt.Sprintf("%d.SMX", i)), []byte(text), 0o600))
			g.accept(text)
		}
		killed := runChild(t, root, step, g)
		if err := g.check(onDisk{root}); err != nil {
			t.Fatalf("killed before step %d: %v", step, err)
		}
		if left := len(onDisk{root}.list(disk.TempFolder)); left > 1 { // the guard's lock
			t.Fatalf("killed before step %d: %d files stay in tmp", step, left)
		}
		if !killed {
			t.Logf("%d steps", step)
			return
		}
	}
}

func runChild(t *testing.T, root string, step int, g *ledger) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRoot+"="+root, childStep+"="+strconv.Itoa(step))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var s said
		check(t, json.Unmarshal(lines.Bytes(), &s))
		g.hear(s)
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return true
	}
	t.Fatalf("step %d: %v: %s", step, err, errs.Bytes())
	return false
}
