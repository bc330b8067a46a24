package inbox

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"statewire/inbox/disk"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// setRecordAside keeps one bad report of a file, or its bad records.
func setRecordAside(c *Chunk, f File, report int, doc []byte, r Reason) error {
	name, _ := c.KeepAs(f, report, doc)
	return c.SetAsideRecords(f, []Kept{{Name: name, Doc: doc, Reason: r}})
}

func TestABadFileIsSetAsideAndItsNeighboursGoOn(t *testing.T) {
	d := open(t)
	dropAt(t, d, Normal, "bad.SMX", "bad")
	dropAt(t, d, Normal, "good.SMX", "good")
	l := loader(t, d, 2, 1)
	defer l.Close()
	c := claim(t, l)
	reason := Reason{Time: time.Unix(0, 0), Code: "xml_syntax", Reason: "<&> at line 1", Line: 1, Column: 812}
	for _, f := range c.Files {
		if f.Name == "bad.SMX" {
			check(t, setRecordAside(c, f, 7, []byte("old record"), reason))
			check(t, setRecordAside(c, f, 7, []byte("record"), reason))
			check(t, c.SetAside(f, reason))
		} else {
			check(t, c.Done(f))
		}
	}
	v := onDisk{d.Root()}
	want := []string{"bad.SMX", "bad.SMX.7.SMX", "bad.SMX.7.SMX.reason.json", "bad.SMX.reason.json"}
	if got := v.list(disk.CorruptFolder); !slices.Equal(got, want) {
		t.Errorf("corrupt holds %v", got)
	}
	data, _ := v.read(disk.CorruptFolder, "bad.SMX.reason.json")
	wantJSON := `{"time":"1970-01-01T00:00:00Z","code":"xml_syntax","reason":"`
	if !strings.HasPrefix(strings.NewReplacer("\n", "", ": ", ":", "  ", "").Replace(string(data)), wantJSON) {
		t.Errorf("reason %s", data)
	}
	if data, _ := v.read(disk.CorruptFolder, "bad.SMX.7.SMX"); string(data) != "record" {
		t.Errorf("record %s", data)
	}
	if c := claim(t, l); c != nil || len(v.list(disk.Folder(Normal))) > 0 || len(v.list(disk.ProcessFolder)) > 0 {
		t.Errorf("left: %v %v", v.list(disk.Folder(Normal)), v.list(disk.ProcessFolder))
	}
}

func TestWhatLiesInCorruptIsNeverReplacedByOtherBytes(t *testing.T) {
	d := open(t)
	l := loader(t, d, 1, 1)
	defer l.Close()
	long := strings.Repeat("n", 240) + ".SMX"
	for _, text := range []string{"one", "two", "one", "two", "three"} {
		for _, name := range []string{"bad.SMX", long} {
			dropAt(t, d, Normal, name, text)
			c := claim(t, l)
			check(t, setRecordAside(c, c.Files[0], 10_000, []byte("r"), Reason{Code: "c"}))
			check(t, c.SetAside(c.Files[0], Reason{Code: text}))
		}
	}
	v := onDisk{d.Root()}
	for name, text := range map[string]string{"bad.SMX": "one", "bad~2.SMX": "two", "bad~3.SMX": "three",
		shortened(long): "one"} {
		if data, _ := v.read(disk.CorruptFolder, name); string(data) != text {
			t.Errorf("corrupt/%s holds %q", name, data)
		}
		if reason, _ := v.read(disk.CorruptFolder, name+reasonSuffix); !bytes.Contains(reason, []byte(`"code": "`+text+`"`)) {
			t.Errorf("corrupt/%s has the reason %s", name, reason)
		}
	}
	if got := len(v.list(disk.CorruptFolder)); got != 2*3*2+2*2 {
		t.Errorf("%d entries in corrupt: %v", got, v.list(disk.CorruptFolder))
	}
}

func TestAFileThatCannotBeSetAsideBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel()
		d := newDir(DefaultConfig(), "/model", m, slog.New(slog.DiscardHandler))
		m.drop(disk.Folder(Normal), "bad.SMX", "bad")
		m.drop(disk.Folder(Normal), "good.SMX", "good")
		l := loader(t, d, 2, 1)
		m.before = func(call string, at disk.Folder, name string) error {
			if at == disk.CorruptFolder {
				return fs.ErrPermission
			}
			return nil
		}
		c := claim(t, l)
		claimed := c.Files[0].Claimed
		if err := c.SetAside(c.Files[0], Reason{Code: "x"}); err == nil {
			t.Fatal("set aside where nothing can be written")
		}
		check(t, c.Done(c.Files...)) // the bad one is no longer in the chunk
		if got := m.list(disk.Folder(Normal)); !slices.Equal(got, []string{"bad.SMX"}) {
			t.Fatalf("waiting: %v", got)
		}
		check(t, d.Ready()) // the relay goes on
		for _, delay := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128} {
			delay *= time.Second
			if n, due := l.Postponed(); n != 1 || time.Until(due) != delay {
				t.Errorf("%d postponed, for %v, want %v", n, time.Until(due), delay)
			}
			time.Sleep(delay - 1)
			if c := claim(t, l); c != nil {
				t.Fatalf("claimed %v before its delay of %v", names(c), delay)
			}
			time.Sleep(time.Nanosecond)
			c = claim(t, l)
			if c == nil || !c.Files[0].Claimed.Equal(claimed) {
				t.Fatalf("after %v: %v", delay, c)
			}
			if err := setRecordAside(c, c.Files[0], 1, nil, Reason{}); err == nil {
				t.Fatal("kept a record where nothing can be written")
			}
		}
		m.before = nil
		time.Sleep(256 * time.Second)
		c = claim(t, l)
		check(t, c.SetAside(c.Files[0], Reason{Code: "x"}))
		if got := m.list(disk.CorruptFolder); len(got) != 2 || claim(t, l) != nil || len(m.list(disk.ProcessFolder)) > 0 {
			t.Errorf("corrupt: %v, process: %v", got, m.list(disk.ProcessFolder))
		}
	})
}

func TestAFileThatIsStillArrivingIsNotCalledBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel()
		d := newDir(DefaultConfig(), "/model", m, slog.New(slog.DiscardHandler))
		m.drop(disk.Folder(Normal), "cp.SMX", "<Rep")
		l := loader(t, d, 2, 1)
		c := claim(t, l)
		m.now[disk.Folder(Normal)]["cp.SMX"].mtime = time.Now().AddDate(-1, 0, 0) // cp -p
		m.now[disk.Folder(Normal)]["cp.SMX"].ctime = time.Now()
		c.Files[0].entry.id = m.now[disk.Folder(Normal)]["cp.SMX"].stat().Identity()
		wake := l.Wake(t.Context())
		go func() {
			time.Sleep(500 * time.Millisecond)
			m.mu.Lock()
			m.now[disk.Folder(Normal)]["cp.SMX"].data = []byte("<Report/>")
			m.mu.Unlock()
		}()
		began := time.Now()
		if err := c.SetAside(c.Files[0], Reason{Code: "xml_syntax"}); !errors.Is(err, ErrChanged) {
			t.Fatalf("SetAside = %v", err)
		}
		<-wake
		if took := time.Since(began); took != time.Second {
			t.Errorf("waited %v for it to settle", took)
		}
		c = claim(t, l)
		if got := read(t, c.Files[0]); got != "<Report/>" {
			t.Errorf("read %q", got)
		}
		check(t, c.Done(c.Files...))
	})
}

// blind is a disk that can't say whether corrupt has a file.
type blind struct{ disk.Disk }

func (b blind) Stat(at disk.Folder, name string) (disk.Stat, error) {
	if at == disk.CorruptFolder {
		return disk.Stat{}, syscall.EIO
	}
	return b.Disk.Stat(at, name)
}

func TestADiskThatDoesNotAnswerEndsTheSearchForAName(t *testing.T) {
	d := open(t)
	dropAt(t, d, Normal, "bad.SMX", "bad")
	l := loader(t, d, 1, 1)
	defer l.Close()
	c := claim(t, l)
	sound := d.disk
	d.disk = blind{sound}
	names := map[string]bool{}
	for report := range 3 {
		name, repeat := c.KeepAs(c.Files[0], report, []byte("x"))
		names[name] = true
		if repeat || !strings.Contains(name, "~") {
			t.Errorf("report %d would be kept as %q, repeat %t", report, name, repeat)
		}
	}
	if name := d.freeName(disk.Folder(Normal), "bad.SMX"); names[name] || len(names) != 3 {
		t.Errorf("the same name twice: %q, %v", name, names)
	}
	d.disk = sound
	check(t, c.SetAside(c.Files[0], Reason{Code: "xml_syntax"}))
}
