package inbox

import (
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"slices"
	"statewire/inbox/disk"
	"testing"
	"testing/synctest"
	"time"
)

// arriving is a half file that was set aside, and its inode, which its writer still holds.
func arriving(t *testing.T, name string) (*model, *Dir, *Loader, *inode) {
	t.Helper()
	m := newModel()
	d := newDir(DefaultConfig(), "/model", m, slog.New(slog.DiscardHandler))
	m.drop(disk.Folder(Normal), name, "<Rep")
	f := m.now[disk.Folder(Normal)][name]
	l := loader(t, d, 2, 1)
	c := claim(t, l)
	check(t, c.SetAside(c.Files[0], Reason{Code: "xml_syntax"}))
	if c := claim(t, l); c != nil || len(m.list(disk.CorruptFolder)) != 2 {
		t.Fatalf("claimed %v, corrupt holds %v", names(c), m.list(disk.CorruptFolder))
	}
	return m, d, l, f
}

func TestAFileThatGrowsAfterItWasSetAsideIsLookedAtAgain(t *testing.T) {
	for _, stall := range []time.Duration{time.Second, 10 * time.Second, time.Hour, 30 * 24 * time.Hour} {
		t.Run(stall.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _, l, f := arriving(t, "slow.SMX")
				wake := l.Wake(t.Context())
				next := func() *Chunk {
					for {
						if c := claim(t, l); c != nil {
							return c
						}
						<-wake
					}
				}
				time.AfterFunc(stall, func() { m.rewrite(f, "<Report/>") })
				began := time.Now()
				c := next()
				took := time.Since(began) - stall
				if limit := max(3*time.Second, min(stall/2, 900*time.Second+2*time.Second)); took < time.Second || took > limit {
					t.Errorf("looked at again %v after it was whole, want 1s to %v", took, limit)
				}
				if c.Files[0].Name != "slow.SMX" || read(t, c.Files[0]) != "<Report/>" {
					t.Errorf("claimed %v", names(c))
				}
				check(t, c.Done(c.Files...))
				if left := m.list(disk.CorruptFolder); len(left) > 0 {
					t.Errorf("corrupt still holds %v", left)
				}
			})
		})
	}
}

func TestAFileThatGrewWhileNoLoaderRanIsLookedAtAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _, f := arriving(t, "slow.SMX")
		m.rewrite(f, "<Report/>")
		time.Sleep(time.Minute)
		d := newDir(DefaultConfig(), "/model", m, slog.New(slog.DiscardHandler))
		if got := names(claim(t, loader(t, d, 2, 1))); !slices.Equal(got, []string{"slow.SMX"}) {
			t.Errorf("claimed %v", got)
		}
	})
}

func TestEveryChangeCounts(t *testing.T) {
	for name, change := range map[string]func(m *model, f *inode){
		"shorter":                   func(m *model, f *inode) { m.rewrite(f, "<R") },
		"other bytes of the length": func(m *model, f *inode) { m.rewrite(f, "<!!>") },
		"longer, and its time put back": func(m *model,
			f *inode) {
			was := f.mtime
			m.rewrite(f, "<Report/>")
			f.mtime = was
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _, l, f := arriving(t, "slow.SMX")
				change(m, f)
				time.Sleep(2 * time.Second)
				if c := claim(t, l); c == nil {
					t.Error("not looked at again")
				}
			})
		})
	}
}

func TestAFileIsNotTakenBackBeforeItWasLeftAlone(t *testing.T) {
	for _, clock := range []time.Duration{0, 24 * time.Hour} { // what the file's time is ahead
		synctest.Test(t, func(t *testing.T) {
			m, _, l, f := arriving(t, "slow.SMX")
			for n := range 40 {
				time.Sleep(500 * time.Millisecond)
				m.rewrite(f, "<Report>"+string(make([]byte, n)))
				f.ctime = f.ctime.Add(clock)
				if c := claim(t, l); c != nil {
					t.Fatalf("claimed %v though it was still being written", names(c))
				}
			}
			time.Sleep(2 * time.Second)
			c := claim(t, l)
			time.Sleep(2 * time.Second)
			if c == nil && claim(t, l) == nil {
				t.Errorf("not taken back; corrupt holds %v", m.list(disk.CorruptFolder))
			}
		})
	}
}

// Whoever copies with cp -p puts the modification time back at every step: only the change time says that it is not
// done.
func TestAFileWithAnOldTimeIsNotTakenBackBeforeItWasLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, l, f := arriving(t, "slow.SMX")
		for n := range 40 {
			time.Sleep(500 * time.Millisecond)
			m.rewrite(f, "<Report>"+string(make([]byte, n)))
			f.mtime = f.mtime.AddDate(-1, 0, 0)
			if c := claim(t, l); c != nil {
				t.Fatalf("claimed %v though it was still being written", names(c))
			}
		}
		time.Sleep(2 * time.Second)
		c := claim(t, l)
		time.Sleep(2 * time.Second)
		if c == nil && claim(t, l) == nil {
			t.Errorf("not taken back; corrupt holds %v", m.list(disk.CorruptFolder))
		}
	})
}

func TestWhatDidNotChangeStaysSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, d, l, _ := arriving(t, "bad.SMX")
		m.drop(disk.CorruptFolder, "older.SMX", "no reason beside it")
		m.drop(disk.CorruptFolder, "old.SMX", "set aside by an earlier version")
		m.drop(disk.CorruptFolder, "old.SMX"+reasonSuffix,
			`{"time":"2026-01-01T00:00:00Z","code":"x","reason":"y","line":1,"column":2}`)
		m.drop(disk.Folder(Normal), "record.SMX", "<Report/>")
		c := claim(t, l)
		check(t, setRecordAside(c, c.Files[0], 3, []byte("r"), Reason{Code: "x"}))
		check(t, c.Done(c.Files...))
		for range 100 {
			time.Sleep(time.Minute)
			if c := claim(t, l); c != nil {
				t.Fatalf("claimed %v", names(c))
			}
		}
		var r Reason
		data, err := d.contents(disk.CorruptFolder, "bad.SMX"+reasonSuffix)
		check(t, err)
		check(t, json.Unmarshal(data, &r))
		if r.File != "bad.SMX" || r.Size != 4 || r.MTime == 0 {
			t.Errorf("its reason says %+v", r)
		}
	})
}

// A clock that was set back must not hide a change from the looks that only ask what changed since the last.
func TestAChangeUnderAClockThatWasSetBackIsSeenWithinAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, l, f := arriving(t, "slow.SMX")
		time.Sleep(time.Hour)
		claim(t, l)
		m.rewrite(f, "<Report/>")
		f.mtime, f.ctime = f.mtime.AddDate(-10, 0, 0), f.ctime.AddDate(-10, 0, 0)
		time.Sleep(900 * time.Second)
		if c := claim(t, l); c == nil {
			t.Error("not looked at again")
		}
	})
}

func TestARelaysNameDoesNotMakeAHalfFileWhole(t *testing.T) {
	for _, whole := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m := newModel()
			d := newDir(DefaultConfig(), "/model", m, slog.New(slog.DiscardHandler))
			name := putName(time.Now(), sha256.Sum256([]byte("<Report/>")))
			m.drop(disk.Folder(Normal), name, map[bool]string{true: "<Report/>", false: "<Rep"}[whole])
			m.now[disk.Folder(Normal)][name].ctime = time.Now()
			c := claim(t, loader(t, d, 2, 1))
			began := time.Now()
			there, err := c.Settled(c.Files[0])
			check(t, err)
			if waited := time.Since(began); !there || (waited == 0) != whole {
				t.Errorf("whole=%v: waited %v, there %v", whole, waited, there)
			}
		})
	}
}
