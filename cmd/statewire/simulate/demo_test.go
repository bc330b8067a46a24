package simulate

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"statewire/fleet"
	"statewire/reports/names"
)

// A demo keeps its gigabytes out of memory: it takes the first place for temporary data that is on a disk.
func TestADemoKeepsItsDataOutOfMemory(t *testing.T) {
	temporary, home := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", "")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		memory []string
		where  string
		note   string
	}{
		{"temporary folders are on a disk", nil, temporary, ""},
		{"they are in memory", []string{temporary}, cache, temporary + " is in memory"},
		{"the user's cache, too", []string{temporary, cache}, "/var/tmp", temporary + " is in memory"},
		{"everything is", []string{temporary, cache, "/var/tmp"}, temporary, "no disk was found"},
	} {
		f, err := makeDemoFolder(func(dir string) bool {
			for _, one := range tt.memory {
				if dir == one {
					return true
				}
			}
			return false
		})
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		defer os.Remove(f.path)
		if filepath.Dir(f.path) != tt.where || !strings.Contains(f.note, tt.note) || (f.note == "") != (tt.note == "") ||
			!f.temporary {
			t.Errorf("%s: the data is in %s %q; want it in %s, %q", tt.name, f.path, f.note, tt.where, tt.note)
		}
	}
}

// Whoever stops a demo waits briefly for what hangs on, and is told at once; before that nothing is cut short.
func TestADemoStopsBriefly(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name    string
		runs    time.Duration // of itself
		stopped time.Duration // by a person
		stops   time.Duration // it takes to stop
		err     error
		ends    time.Duration
		said    bool
	}{
		{"it ends by itself", time.Minute, time.Hour, 0, broken, time.Minute, false},
		{"it stops fast", time.Hour, time.Minute, 100 * time.Millisecond, nil, time.Minute + 100*time.Millisecond, true},
		{"it hangs on", time.Hour, time.Minute, 25 * time.Second, nil, time.Minute + demoStop, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, said := time.Now(), false
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				time.AfterFunc(tt.stopped, stop)
				err := stopBriefly(ctx, func() error {
					select {
					case <-time.After(tt.runs):
						return tt.err
					case <-ctx.Done():
						time.Sleep(tt.stops)
						return nil
					}
				}, demoStop, func() { said = true })
				if took := time.Since(began); !errors.Is(err, tt.err) || took != tt.ends || said != tt.said {
					t.Errorf("it ended after %v with %v, said so %v; want %v, %v, %v", took, err, said, tt.ends, tt.err, tt.said)
				}
				time.Sleep(time.Hour) // what hung on ends, too
			})
		})
	}
}

// What removes a demo's folder removes nothing else.
func TestOnlyADemosFolderIsRemoved(t *testing.T) {
	for _, tt := range []struct {
		name string
		gone bool
	}{{demoPrefix + "1", true}, {"data", false}, {"x" + demoPrefix, false}} {
		folder := filepath.Join(t.TempDir(), tt.name)
		if err := os.MkdirAll(filepath.Join(folder, "store"), 0o700); err != nil {
			t.Fatal(err)
		}
		root := RemoveDemo()
		root.SetArgs([]string{folder})
		root.SetIn(strings.NewReader(""))
		err := root.ExecuteContext(t.Context())
		if _, missing := os.Stat(folder); (missing != nil) != tt.gone || (err == nil) != tt.gone {
			t.Errorf("%s: %v, %v; want it gone %v", tt.name, err, missing, tt.gone)
		}
	}
}

// The pages of a demo say how far its day has come; a short day does not warm up again when it is over.
func TestADemoSaysHowFarItsDayHasCome(t *testing.T) {
	var day progressOfDay
	for _, tt := range []struct {
		part int32
		says string
	}{{warmingUp, "warming up"}, {onPatchDay, "goes on"}, {dayOver, "day is over"}, {onPatchDay, "day is over"}} {
		day.set(tt.part)
		if got := day.notice(); !strings.Contains(got, tt.says) {
			t.Errorf("part %d: %q; want %q in it", tt.part, got, tt.says)
		}
	}
}

// A demo's names are a file that `statewire names load` takes.
func TestADemosNamesAreAFileOfNames(t *testing.T) {
	cfg := fleet.DefaultConfig()
	cfg.Clients, cfg.Relay = 200, "https://127.0.0.1:1" // nobody is asked
	f, err := fleet.New(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var read names.Reader
	if err := read.Read("names", bytes.NewReader(namesText(f.Names(time.Now())))); err != nil {
		t.Fatal(err)
	}
	targets := f.Collections()
	for _, line := range read.List().Lines {
		if line.Target != "" && len(targets[line.Target]) == 0 {
			t.Errorf("%s is for %s, in which nobody is", line.Title, line.Target)
		}
	}
	if n := len(read.List().Lines); n < 20 {
		t.Errorf("%d names; want those of updates, deployments and baselines", n)
	}
}

func TestTheEndOfThePatchDayIsSaid(t *testing.T) {
	got := patchDayOver(20*time.Minute, fleet.Stats{Reports: 1, Messages: 300})
	if want := "The patch day is over after 20m0s: the relay took 1 report with 300 messages."; !strings.HasPrefix(got,
		want) {
		t.Errorf("%q, want %q", got, want)
	}
}
