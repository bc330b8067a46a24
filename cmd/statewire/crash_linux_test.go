package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"statewire/smx"
	"statewire/store/storetest"
)

// required skips a test that this machine cannot run, and fails it in CI, where every proof must be given.
func required(t testing.TB, missing string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI must run this test: %s", missing)
	}
	t.Skip(missing)
}

func needTool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		required(t, name+" is not installed; `make deps` installs it")
	}
}

// killCalls are the system calls in whose midst a process is killed. The engine's are among them: it makes parts with
// mkdir, write, fdatasync and renameat2.
var killCalls = []string{"openat", "write", "fsync", "fdatasync", "renameat2", "renameat", "rename", "unlinkat",
	"unlink", "mkdir", "sendto", "close"}

// kill is a place to kill a process at: the nth of a system call in one of its threads.
type kill struct {
	call  string
	nth   int
	inbox bool // only calls on the inbox's folders count
}

func (k kill) String() string {
	if k.inbox {
		return fmt.Sprintf("%s %d in the inbox", k.call, k.nth)
	}
	return fmt.Sprintf("%s %d", k.call, k.nth)
}

// strace is the command line that runs what follows it and kills it there. The tracer is the child's child, so that the
// traced process is the test's own. (--seccomp-bpf would be faster, but with it nothing is injected here.)
func (k kill) strace(data string) []string {
	line := []string{"strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=" + k.call, "-e",
		fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", k.call, k.nth)}
	if k.inbox {
		for _, folder := range []string{"incoming/high", "incoming", "incoming/low", "process", "corrupt"} {
			line = append(line, "-P", filepath.Join(boxOf(data), folder))
		}
	}
	return line
}

// places are kills all over a process's life: early calls hit the start, late ones and those of the inbox hit the work.
func places(chance *rand.Rand, n int) []kill {
	inbox := []string{"fsync", "renameat2", "unlinkat", "openat"}
	all := make([]kill, n)
	for i := range all {
		if i%2 == 0 {
			all[i] = kill{inbox[i/2%len(inbox)], 1 + chance.IntN(6<<chance.IntN(3)), true}
		} else {
			all[i] = kill{killCalls[i/2%len(killCalls)], 1 + chance.IntN(6<<chance.IntN(7)), false}
		}
	}
	return all
}

// A site that is killed at any system call, again and again on the same data, acknowledges nothing that it loses and
// stores nothing twice; each restart is ready by itself.
func TestNoKillOfASiteBreaksThePromises(t *testing.T) {
	needTool(t, "strace")
	n := storetest.SeedOr(t, 1)
	for worker := range uint64(2) {
		t.Run(fmt.Sprint("site ", worker), func(t *testing.T) {
			t.Parallel()
			killSites(t, rand.New(rand.NewPCG(n, worker)), 24*times(t), 20*time.Second*time.Duration(times(t)))
		})
	}
}

// killSites kills a site at up to n places, within some time, and checks after each.
func killSites(t *testing.T, chance *rand.Rand, n int, within time.Duration) {
	data, l, next := dataDir(t), newLedger(), &counters{}
	began, hits, rounds := time.Now(), 0, 0
	for _, at := range places(chance, n) {
		if time.Since(began) > within && rounds >= n/4 {
			break
		}
		rounds++
		if killOnce(t, data, at, l, next, chance.Uint64()) {
			hits++
		}
		if killCheck(t, data, at, l); t.Failed() {
			return
		}
	}
	acked, unknown := l.count()
	t.Logf("%d kills, %d of them at a system call; %d messages acknowledged, %d unknown", rounds, hits, acked, unknown)
	if hits == 0 || acked == 0 {
		t.Error("the kills met nothing")
	}
}

// killOnce runs a site under traffic until it is killed: at the place, or from outside when it did not get there in
// time.
func killOnce(t *testing.T, data string, at kill, l *ledger, next *counters, chance uint64) (hit bool) {
	p := spawn(t, data, at.strace(data), "serve")
	eventually(patience, func() bool { return p.ended() || p.logged("relay listening") != nil })
	if !p.ended() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		addr, _ := p.logged("relay listening")["addr"].(string)
		traffic(ctx, p, newPoster(t, data, addr), l, next, 3, chance)
	}
	hit = p.ended()
	p.kill()
	return hit
}

// killCheck starts the site again, waits until all is loaded, and holds it against the ledger.
func killCheck(t *testing.T, data string, at kill, l *ledger) {
	t.Helper()
	s := serve(t, data)
	s.awaitReady()
	s.awaitDrained()
	l.check(t, data)
	own := filepath.Join(boxOf(data), "tmp", strconv.Itoa(s.cmd.Process.Pid)+"-*")
	mine, _ := filepath.Glob(own)
	all, _ := filepath.Glob(filepath.Join(boxOf(data), "tmp", "[^.]*"))
	if len(all) != 1 || len(mine) != 1 {
		t.Errorf("after a kill at %v there are %v in tmp, want this process's own folder", at, all)
	}
	if names := corrupt(t, data); len(names) > 0 {
		t.Errorf("after a kill at %v corrupt holds %v", at, names)
	}
	if t.Failed() {
		t.Logf("the kill was at %v", at)
	}
	s.kill()
	if s.ended() && s.cmd.ProcessState.Success() {
		t.Errorf("the site ended by itself after a kill at %v", at)
	}
}

// A load that is killed at any system call loses and doubles nothing: what it copied is whole or not there, what it
// deleted is stored, and loading the folder again completes it.
func TestNoKillOfALoadBreaksThePromises(t *testing.T) {
	t.Parallel()
	needTool(t, "strace")
	chance := rand.New(rand.NewPCG(storetest.SeedOr(t, 1), 77))
	data, folder, l := dataDir(t), dataDir(t), newLedger()
	write := func(round int) {
		for n := range 12 {
			r, keys := report(n, smx.NoPriority, uint64(3*round+1), uint64(3*round+3))
			l.sent(keys)
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d-%d.SMX", round, n)), smx.AppendReport(nil, r),
				0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	began, rounds, hits := time.Now(), 0, 0
	for _, at := range places(chance, 24*times(t)) {
		if time.Since(began) > 15*time.Second*time.Duration(times(t)) && rounds >= 6 {
			break
		}
		write(rounds)
		rounds++
		p := spawn(t, data, at.strace(data), "load", "--create", folder)
		if p.wait(2*patience) != 0 {
			hits++
		}
		drained(t, data)
		l.check(t, data)
		if t.Failed() {
			t.Fatalf("after a kill at %v", at)
		}
	}
	done(t, data, "load", "--create", folder)
	for k := range l.unknown {
		l.acked[k] = true
	}
	l.check(t, data)
	t.Logf("%d loads, %d of them killed", rounds, hits)
	if hits == 0 {
		t.Error("the kills met nothing")
	}
}

// drained loads what waits; nothing is left then.
func drained(t *testing.T, data string) {
	t.Helper()
	if _, err := os.Stat(boxOf(data)); os.IsNotExist(err) {
		return // killed before there was anything
	}
	done(t, data, "ingest", "--once", "--create")
	if left := append(waiting(t, data), claims(t, data)...); len(left) > 0 {
		t.Errorf("left in the inbox: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(boxOf(data), "tmp", "[^.]*")); len(left) > 0 {
		t.Errorf("temporary files stay: %v", left)
	}
}

// tracer is strace attached to a running process.
type tracer struct{ cmd *exec.Cmd }

// attach traces a running process and returns once every thread of it is traced.
func attach(t testing.TB, pid int, args ...string) *tracer {
	t.Helper()
	cmd := exec.Command("strace", append([]string{"-f", "-p", strconv.Itoa(pid), "-o", os.DevNull}, args...)...)
	cmd.SysProcAttr = childOfTest()
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	for {
		line, err := said.ReadString('\n')
		if err != nil {
			t.Fatalf("strace did not attach: %q %v", line, err)
		}
		if strings.Contains(line, "attached") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return &tracer{cmd}
}

func (a *tracer) detach() {
	_ = a.cmd.Process.Signal(os.Interrupt)
	_ = a.cmd.Wait() // it ends with the signal
}

// No error of any system call of an inbox write is acknowledged: the answer is 503 with a time to come back, no file
// becomes visible that was not promised, and the relay works again when the disk does.
func TestNoFailedWriteIsAcknowledged(t *testing.T) {
	t.Parallel()
	needTool(t, "strace")
	data := dataDir(t)
	s := serve(t, data, "--roles", "relay")
	to, l := s.poster(), newLedger()
	to.accept(t, l, 1, 1, 1)
	own, err := filepath.Glob(filepath.Join(boxOf(data), "tmp", strconv.Itoa(s.cmd.Process.Pid)+"-*"))
	if err != nil || len(own) != 1 {
		t.Fatalf("the relay's folder for temporary files: %v %v", own, err)
	}
	incoming := filepath.Join(boxOf(data), "incoming")
	var temps []string // the names that its next files will have
	for n := range 2000 {
		temps = append(temps, "-P", filepath.Join(own[0], fmt.Sprintf("%d-%d.tmp", s.cmd.Process.Pid, n)))
	}
	serial := uint64(1)
	for i, step := range []struct {
		name, call string
		at         []string
		mayAppear  bool // under its final name, though nothing was acknowledged
	}{
		{"create", "openat", []string{"-P", own[0]}, false},
		{"write", "write", temps, false},
		{"sync of the file", "fsync", temps, false},
		{"rename", "renameat2", []string{"-P", own[0], "-P", incoming}, false},
		{"sync of the folder", "fsync", []string{"-P", incoming}, true},
	} {
		for n, errno := range []string{"EIO", "ENOSPC", "EDQUOT", "EROFS", "EMFILE"} {
			if times(t) == 1 && (n+i)%5 > 1 {
				continue // each error once or twice, each step with two of them; all with all at length
			}
			t.Run(step.name+" "+errno, func(t *testing.T) {
				before := len(waiting(t, data))
				trace := attach(t, s.cmd.Process.Pid, append(step.at, "-e", "trace="+step.call, "-e", "inject="+step.call+":error="+
					errno)...)
				serial++
				r, keys := report(1, smx.NoPriority, serial, serial)
				a := to.send(t.Context(), l, smx.AppendReport(nil, r), keys)
				if a.status != 503 || a.retryAfter == "" || a.code != "disk_full" && a.code != "storage_fault" {
					t.Errorf("answer %+v, want 503 disk_full or storage_fault with Retry-After", a)
				}
				if n := len(waiting(t, data)); n != before && !step.mayAppear {
					t.Errorf("%d files more", n-before)
				}
				trace.detach()
				if !eventually(patience, func() bool {
					serial++
					r, keys := report(1, smx.NoPriority, serial, serial)
					return to.send(t.Context(), l, smx.AppendReport(nil, r), keys).status == 202
				}) {
					t.Error("no report is taken though the disk works again")
				}
			})
		}
	}
	if left, _ := filepath.Glob(filepath.Join(own[0], "*.tmp")); len(left) > 0 {
		t.Errorf("temporary files stay: %v", left)
	}
	s.kill()
	drained(t, data)
	l.check(t, data)
}
