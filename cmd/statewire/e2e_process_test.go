package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// readyTime is how long a site may take from its start to its readiness, whatever happened before (I13).
	readyTime = 10 * time.Second
	// patience bounds waits for things that have no promised time; a busy machine must not fail a test.
	patience = 60 * time.Second
)

// process is one run of the binary in the background. What it logs is kept, as JSON.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and everything it wrote was read

	mu    sync.Mutex
	lines []map[string]any // Guarded by mu, like the others.
	raw   bytes.Buffer
	out   bytes.Buffer
}

// spawn starts the binary on a data directory; wrap is a command line to run it under, such as strace.
func spawn(t testing.TB, data string, wrap []string, args ...string) *process {
	t.Helper()
	return spawnWith(t, childOfTest(), data, wrap, args...)
}

func spawnWith(t testing.TB, as *syscall.SysProcAttr, data string, wrap []string, args ...string) *process {
	t.Helper()
	line := append(append([]string{}, wrap...), program(t))
	line = append(line, "--data", data, "--log-format", "json")
	line = append(line, args...)
	p := &process{t: t, cmd: exec.Command(line[0], line[1:]...), done: make(chan struct{})}
	p.cmd.Env = siteEnv(t)
	p.cmd.Dir = buildDir // away from the repository's own configuration file
	p.cmd.SysProcAttr = as
	errs, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { p.readLog(errs) })
	readers.Go(func() { p.readOut(out) })
	go func() {
		readers.Wait()
		_ = p.cmd.Wait() // its state says how it ended
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of %v:\n%s", args, tail(p.text(), 3000))
		}
	})
	return p
}

// siteEnv is the environment of every run: free ports, no client certificates, nothing from the caller's own site.
func siteEnv(t testing.TB) []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "STATEWIRE_") {
			env = append(env, entry)
		}
	}
	return append(env, engineEnv+"="+engineLibrary(t), "STATEWIRE_RELAY_LISTEN=127.0.0.1:0",
		"STATEWIRE_NOTIFIER_LISTEN=127.0.0.1:0",
		"STATEWIRE_RELAY_AUTH=none",
		"STATEWIRE_RELAY_CLIENT_RATE=0", "STATEWIRE_RELAY_DISK_RESERVE=1MiB", "STATEWIRE_RELAY_INODE_RESERVE=10",
		"STATEWIRE_REPORTS_LISTEN=127.0.0.1:0", "STATEWIRE_INGEST_BATCH_DELAY=20ms")
}

func (p *process) readLog(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := map[string]any{}
		_ = json.Unmarshal(lines.Bytes(), &fields) // what is no JSON is kept as text only
		p.mu.Lock()
		p.lines = append(p.lines, fields)
		if fields["msg"] == "processed file" {
			p.mu.Unlock()
			continue
		}
		fmt.Fprintf(&p.raw, "%s\n", lines.Bytes())
		p.mu.Unlock()
	}
}

func (p *process) readOut(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		p.mu.Lock()
		p.out.Write(buf[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// text is everything it logged so far.
func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.raw.String()
}

// output is everything it wrote to standard output so far.
func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// logged finds the first line with a message.
func (p *process) logged(msg string) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if line["msg"] == msg {
			return line
		}
	}
	return nil
}

// await waits for a line with a message and returns one of its attributes.
func (p *process) await(msg, attr string, within time.Duration) string {
	p.t.Helper()
	var line map[string]any
	ok := eventually(within, func() bool {
		line = p.logged(msg)
		return line != nil || p.ended()
	})
	if !ok || line == nil {
		p.t.Fatalf("no %q within %v:\n%s", msg, within, tail(p.text(), 4000))
	}
	value, _ := line[attr].(string)
	return value
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends it as the kernel would when memory runs out.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone
	<-p.done
}

// wait returns its exit code; -1 when a signal ended it.
func (p *process) wait(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		p.t.Fatalf("still running after %v:\n%s", within, tail(p.text(), 4000))
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// result is a command that has ended.
type result struct {
	code        int
	out, errOut string
}

// command runs the binary to its end.
func command(t testing.TB, data string, args ...string) result {
	t.Helper()
	cmd := exec.Command(program(t), append([]string{"--data", data}, args...)...)
	cmd.Env = siteEnv(t)
	cmd.Dir = buildDir
	cmd.SysProcAttr = childOfTest()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	watchdog := time.AfterFunc(2*patience, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// done runs a command that must succeed and returns what it printed.
func done(t testing.TB, data string, args ...string) string {
	t.Helper()
	r := command(t, data, args...)
	if r.code != 0 {
		t.Fatalf("statewire %q ended with %d: %s", args, r.code, r.errOut)
	}
	return r.out
}

// eventually polls until ok says yes; false when that took too long.
func eventually(within time.Duration, ok func() bool) bool {
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
