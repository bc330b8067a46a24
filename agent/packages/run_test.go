//go:build linux

package packages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/internal/topics"
)

// A machine without apt says so once and stays quiet.
func TestWithoutAptThereIsNoSource(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var log bytes.Buffer
	book := &notebook{states: map[topic]cache.State{}}
	p := New(agent.DefaultConfig(), book, time.Now, slog.New(slog.NewTextHandler(&log, nil)))
	if err := p.Run(t.Context()); err != nil {
		t.Errorf("Run ends with %v, want nil", err)
	}
	if _, err := p.Scan(t.Context()); !errors.Is(err, errNoApt) {
		t.Errorf("Scan ends with %v, want %v", err, errNoApt)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || book.raised != 0 {
		t.Errorf("%d lines were logged and %d states raised; want 1 and none:\n%s", n, book.raised, &log)
	}
}

// script answers like the package tools of a machine without updates, in no time, and counts the scans.
type script struct {
	scans atomic.Int64
	fails atomic.Bool
	warns string
}

func (s *script) run(_ context.Context, name string, args ...string) (said, warned []byte, err error) {
	if name == "dpkg-query" {
		return nil, nil, nil
	}
	s.scans.Add(1)
	if s.fails.Load() {
		return nil, nil, fmt.Errorf("%s: %w", name, context.DeadlineExceeded)
	}
	return nil, []byte(s.warns), nil
}

func scripted(t *testing.T, cfg agent.Config) (*Source, *script, *notebook) {
	dir := t.TempDir()
	write := func(name string) string {
		path := dir + "/" + name
		if out, err := exec.Command("touch", path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return path
	}
	write("local_Packages")
	tools, book := &script{}, &notebook{states: map[topic]cache.State{}}
	p := New(cfg, book, time.Now, quiet)
	p.apt = &apt{run: tools.run, arch: "amd64", lists: dir, state: dir, status: write("status")}
	p.marker = dir + "/reboot-required"
	return p, tools, book
}

// Scans follow each other in the interval, a little jittered; a failed one is repeated within the hour.
func TestScansKeepTheirInterval(t *testing.T) {
	p, tools, book := scripted(t, agent.Config{ScanInterval: 12 * time.Hour, StartupJitter: 10 * time.Minute})
	synctest.Test(t, func(t *testing.T) {
		p.retime = make(chan struct{}, 1) // of this bubble
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = p.Run(ctx) }()
		after := func(d time.Duration, least, most int64) {
			t.Helper()
			before := tools.scans.Load()
			time.Sleep(d)
			synctest.Wait()
			if n := tools.scans.Load() - before; n < least || n > most {
				t.Errorf("%d scans in %v, want %d to %d", n, d, least, most)
			}
		}
		after(10*time.Minute, 1, 1)
		after(10*24*time.Hour, 20, 23)
		tools.fails.Store(true)
		after(12*time.Hour, 1, 200) // the next one is due within the interval, and fails
		after(24*time.Hour, 24, 200)
		if got := book.state(topics.UpdateScan, packageSource); !strings.HasPrefix(got, "5 [0x800705B4 ") {
			t.Errorf("the scan's state is %s, want failed because of the time", got)
		}
	})
}

// The scan interval changes while the source runs: none at all, and one again.
func TestTheScanIntervalChanges(t *testing.T) {
	cfg := agent.Config{StartupJitter: time.Minute}
	p, tools, _ := scripted(t, cfg)
	synctest.Test(t, func(t *testing.T) {
		p.retime = make(chan struct{}, 1) // of this bubble
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = p.Run(ctx) }()
		scans := func(d time.Duration) int64 {
			before := tools.scans.Load()
			time.Sleep(d)
			synctest.Wait()
			return tools.scans.Load() - before
		}
		if n := scans(24 * time.Hour); n != 0 {
			t.Errorf("%d scans without an interval", n)
		}
		cfg.ScanInterval = time.Hour
		p.Configure(cfg)
		if n := scans(24 * time.Hour); n < 24 || n > 28 {
			t.Errorf("%d scans in a day with an interval of an hour", n)
		}
		cfg.ScanInterval = 0
		p.Configure(cfg)
		if n := scans(24 * time.Hour); n != 0 {
			t.Errorf("%d scans after the interval was taken away", n)
		}
		tools.fails.Store(true)
		cfg.ScanInterval = 10 * time.Hour
		p.Configure(cfg)
		if n := scans(11 * time.Hour); n < 1 {
			t.Errorf("%d scans after an interval was given again", n)
		}
		cfg.ScanInterval = 0
		p.Configure(cfg)
		if n := scans(24 * time.Hour); n != 0 {
			t.Errorf("%d repeats of a failed scan after the interval was taken away", n)
		}
	})
}

// A file of sources that apt may not read would make the machine look better than it is.
func TestWhatAptMayNotReadIsTold(t *testing.T) {
	for warns, want := range map[string]string{
		"": "3 [",
		"W: Unable to read /etc/apt/apt.conf.d/99proxy - open (13: Permission denied)\n": "3 [",
		"W: Unable to read /etc/apt/apt.conf.d/99proxy - open (13: Permission denied)\nW: Unable to read " +
			"/etc/apt/sources.list.d/own.list - open (13: Permission denied)\n": "6 [ apt may not read " +
			"/etc/apt/sources.list.d/own.list as",
	} {
		p, tools, book := scripted(t, agent.DefaultConfig())
		tools.warns = warns
		if _, err := p.Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := book.state(topics.UpdateScan, packageSource); !strings.HasPrefix(got, want) {
			t.Errorf("after %q the scan's state is %s, want %s", warns, got, want)
		}
	}
}

// What was installed meanwhile is seen without waiting for the interval, once it has come to rest.
func TestAChangeIsScannedOnceItRests(t *testing.T) {
	at := func(minute int) map[string]time.Time {
		return map[string]time.Time{"status": time.Unix(int64(minute)*60, 0)}
	}
	var w watch
	if w.changed(at(1)) {
		t.Error("before the first scan nothing has changed")
	}
	w.settle(at(1))
	for i, step := range []struct {
		minute int
		want   bool
	}{{1, false}, {2, false}, {3, false}, {3, true}, {3, true}} {
		if got := w.changed(at(step.minute)); got != step.want {
			t.Errorf("step %d: changed is %v, want %v", i, got, step.want)
		}
	}
	w.settle(at(3))
	if w.changed(at(3)) {
		t.Error("what was scanned counts as changed")
	}
}

func TestToolsAreBounded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		args []string
		want error
		says string
	}{
		{"too much output", t.Context(), []string{"yes"}, errTooMuch, "yes: "},
		{"too long", ctx, []string{"sleep", "60"}, context.DeadlineExceeded, "sleep: "},
		{"not there", t.Context(), []string{"no-such-tool"}, exec.ErrNotFound, "no-such-tool"},
		{"it says why", t.Context(), []string{"sh", "-c", "echo W: first >&2; echo E: that is why >&2; exit 3"}, nil,
			"exit status 3: that is why"},
		{"it does not say why", t.Context(), []string{"false"}, nil, "no reason"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, _, err := runTool(tt.ctx, tt.args[0], tt.args[1:]...)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %d bytes and %v, want %v with %q", len(out), err, tt.want, tt.says)
			}
		})
	}
	out, warned, err := runTool(t.Context(), "sh", "-c", "echo $LC_ALL; echo W: take care >&2")
	if err != nil || string(out) != "C\n" || string(warned) != "W: take care\n" {
		t.Errorf("the locale is %q, the warning %q, %v", out, warned, err)
	}
}

// What a tool says may hold any bytes. They are spelled out in the reason, and neither end the agent nor hide the
// failure.
func TestAReasonMayHoldAnyBytes(t *testing.T) {
	p, tools, book := scripted(t, agent.DefaultConfig())
	tools.warns = "W: Unable to read /etc/apt/sources.list.d/b\x01\xff.list - open (13: Permission denied)\n"
	if _, err := p.Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := book.state(topics.UpdateScan, packageSource),
		"6 [ apt may not read /etc/apt/sources.list.d/b<U+0001><byte 0xFF>.list as"; !strings.HasPrefix(got, want) {
		t.Errorf("the scan's state is %s, want %s", got, want)
	}
}

// Lists of more than a week say little of what there is to install.
func TestOldPackageListsAreTold(t *testing.T) {
	p, _, book := scripted(t, agent.DefaultConfig())
	p.now = func() time.Time { return time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC) }
	for age, want := range map[time.Duration]string{
		listsOld:                      "3 [0 2026-03-03T08:00:00Z]",
		listsOld + time.Second:        "6 [ the package lists are 7 days old; run apt-get update]",
		9*24*time.Hour + 23*time.Hour: "6 [ the package lists are 9 days old; run apt-get update]",
	} {
		if _, err := p.record(inventory{listed: p.now().Add(-age)}, restart{}); err != nil {
			t.Fatal(err)
		}
		if got := book.state(topics.UpdateScan, packageSource); got != want {
			t.Errorf("lists of %v: the scan's state is %s, want %s", age, got, want)
		}
	}
}

// A package whose state no report can carry is named; the other packages are told.
func TestAStateThatNoReportCarriesStopsNoOther(t *testing.T) {
	p, _, book := scripted(t, agent.DefaultConfig())
	long := strings.Repeat("1", 9000)
	found := inventory{listed: time.Now(), upgrades: []upgrade{
		{name: "odd", installed: "1", candidate: long}, {name: "sound", installed: "1", candidate: "2"},
	}}
	result, err := p.record(found, restart{})
	if err != nil || result.Raised != 1 || result.Required != 2 {
		t.Fatalf("recorded %+v, %v; want one of two raised", result, err)
	}
	if got := book.state(topics.UpdateDetection, "sound=2"); !strings.HasPrefix(got, "2 [sound 1 2") {
		t.Errorf("the sound package's state is %s", got)
	}
	if got, want := book.state(topics.UpdateScan, packageSource),
		"6 [ a package's state is not told: topic id of topic 500 has 9004 bytes; allowed are 1 to 8192]"; got != want {
		t.Errorf("the scan's state is %s, want %s", got, want)
	}
}
