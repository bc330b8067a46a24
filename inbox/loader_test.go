package inbox

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// dropAt writes a file into a lane as an operator does.
func dropAt(t testing.TB, d *Dir, lane Lane, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(d.Root(), folder(lane).String(), name)
	check(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func names(c *Chunk) (names []string) {
	if c == nil {
		return nil
	}
	for _, f := range c.Files {
		names = append(names, f.Name)
	}
	return names
}

func TestClaimTakesTheHighLaneAndTheOldestFirst(t *testing.T) {
	d := open(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var want []string
	for i, lane := range []Lane{Low, Normal, High} {
		for j := range 3 {
			name, err := d.Put(lane, fmt.Append(nil, lane, j), at.Add(time.Duration(10*i-j)*time.Hour))
			check(t, err)
			want = append(want, name)
		}
	}
	slices.Reverse(want)
	old := dropAt(t, d, Low, "old.SMX", "dropped")
	check(t, os.Chtimes(old, at, at.AddDate(-1, 0, 0)))
	want = slices.Insert(want, 6, "old.SMX")
	l := loader(t, d, 2, 3)
	defer l.Close()
	var got []string
	for c := claim(t, l); c != nil; c = claim(t, l) {
		if len(c.Files) > 2 {
			t.Errorf("chunk of %d files", len(c.Files))
		}
		got = append(got, names(c)...)
		check(t, c.Done(c.Files...))
	}
	if !slices.Equal(got, want) {
		t.Errorf("claimed\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEveryFileIsClaimedOnceThoughMoreArrive(t *testing.T) {
	d := open(t)
	l := loader(t, d, 3, 2)
	defer l.Close()
	seen := map[string]int{}
	arrived := 0
	for round := range 50 {
		for range round % 4 {
			dropAt(t, d, Lane(round%3), fmt.Sprintf("%d.SMX", arrived), "x")
			arrived++
		}
		c := claim(t, l)
		if c == nil {
			continue
		}
		for _, f := range c.Files {
			seen[f.Name]++
		}
		if round%2 == 0 {
			check(t, c.Done(c.Files...))
		}
	}
	for c := claim(t, l); c != nil; c = claim(t, l) {
		for _, f := range c.Files {
			seen[f.Name]++
		}
	}
	if len(seen) != arrived {
		t.Errorf("%d files of %d were claimed", len(seen), arrived)
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times", name, n)
		}
	}
}

func TestThreadsShareTheFiles(t *testing.T) {
	d := open(t)
	const files = 300
	for i := range files {
		dropAt(t, d, Normal, fmt.Sprintf("%d.SMX", i), "x")
	}
	l := loader(t, d, 7, 5)
	defer l.Close()
	var mu sync.Mutex
	seen := map[string]bool{}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for {
				c, err := l.Claim()
				if err != nil || c == nil {
					check(t, err)
					return
				}
				mu.Lock()
				for _, f := range c.Files {
					if seen[f.Name] {
						t.Errorf("%s was claimed twice", f.Name)
					}
					seen[f.Name] = true
				}
				mu.Unlock()
				check(t, c.Done(c.Files...))
			}
		})
	}
	wait.Wait()
	if left := (onDisk{d.Root()}); len(seen) != files || len(left.list(folder(Normal))) > 0 {
		t.Errorf("claimed %d of %d, left %v", len(seen), files, left.list(folder(Normal)))
	}
	if c := claim(t, l); c != nil {
		t.Errorf("claimed %v of nothing", names(c))
	}
	if lists := (onDisk{d.Root()}).list(processFolder); len(lists) > 0 {
		t.Errorf("lists stay: %v", lists)
	}
}

func TestASecondLoaderIsRefusedAndTheHolderNamed(t *testing.T) {
	root := filepath.Join(t.TempDir(), "box")
	l := loader(t, openAt(t, root), 1, 1)
	other := openAt(t, root)
	_, err := other.Loader(1, 1)
	var locked *LockedError
	if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Fatalf("a second loader: %v", err)
	}
	if !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("%v does not name the holder", err)
	}
	check(t, l.Close())
	check(t, loader(t, other, 1, 1).Close())
}

func TestALoaderNeedsRoom(t *testing.T) {
	d := open(t)
	for _, n := range [][2]int{{0, 1}, {1, 0}} {
		if _, err := d.Loader(n[0], n[1]); err == nil {
			t.Errorf("a loader of %d files, %d chunks", n[0], n[1])
		}
	}
}

func TestAClaimOutlivesTheLoader(t *testing.T) {
	d := open(t)
	for _, name := range []string{"a.SMX", "b.SMX", "c.SMX", "\xff\n.SMX"} {
		dropAt(t, d, Normal, name, "first "+name)
	}
	l := loader(t, d, 4, 1)
	first := claim(t, l)
	at := first.Files[0].Claimed
	check(t, l.Close()) // as if it had died: nothing was done
	check(t, os.Remove(filepath.Join(d.Root(), "incoming", "a.SMX")))
	check(t, os.Remove(filepath.Join(d.Root(), "incoming", "b.SMX")))
	dropAt(t, d, Normal, "b.SMX", "another file of that name")
	check(t, os.WriteFile(filepath.Join(d.Root(), "incoming", "d.SMX"), []byte("later"), 0o600))

	l = loader(t, d, 10, 1)
	defer l.Close()
	recovered := claim(t, l)
	if got := names(recovered); !slices.Equal(got, []string{"\xff\n.SMX", "c.SMX"}) && !slices.Equal(got, []string{"c.SMX", "\xff\n.SMX"}) {
		t.Fatalf("recovered %q", got)
	}
	for _, f := range recovered.Files {
		if !f.Claimed.Equal(at) {
			t.Errorf("%q was first claimed at %v, now %v", f.Name, at, f.Claimed)
		}
	}
	fresh := claim(t, l)
	if got := names(fresh); len(got) != 2 || !slices.Contains(got, "b.SMX") || !slices.Contains(got, "d.SMX") {
		t.Fatalf("claimed %q", got)
	}
	for _, f := range fresh.Files {
		if !f.Claimed.After(at) {
			t.Errorf("%s is a new file and has the old claim time", f.Name)
		}
	}
	check(t, errors.Join(recovered.Done(recovered.Files...), fresh.Done(fresh.Files...)))
	if c := claim(t, l); c != nil {
		t.Errorf("claimed %v of nothing", names(c))
	}
	if left := (onDisk{d.Root()}).list(processFolder); len(left) > 0 {
		t.Errorf("lists stay: %v", left)
	}
}

func TestReleasedFilesComeBackUnderTheirClaimTimes(t *testing.T) {
	d := open(t)
	for i := range 5 {
		dropAt(t, d, Normal, fmt.Sprintf("%d.SMX", i), "x")
	}
	l := loader(t, d, 5, 1)
	defer l.Close()
	c := claim(t, l)
	at := c.Files[0].Claimed
	check(t, c.Done(c.Files[0]))
	check(t, c.Release())
	check(t, c.Done(c.Files[1])) // no longer in the chunk: nothing happens
	again := claim(t, l)
	if len(again.Files) != 4 || !again.Files[0].Claimed.Equal(at) {
		t.Errorf("claimed %v again, at %v, first at %v", names(again), again.Files[0].Claimed, at)
	}
	if _, ok := (onDisk{d.Root()}).read(folder(Normal), c.Files[1].Name); !ok {
		t.Error("a released file was deleted by its former chunk")
	}
}

func TestReadTellsWhatIsWrong(t *testing.T) {
	config := quick()
	config.MaxFileBytes = 100
	d, err := config.Open(filepath.Join(t.TempDir(), "box"), slog.New(slog.DiscardHandler))
	check(t, err)
	defer d.Close()
	wrong := putName(time.Now(), sha256.Sum256([]byte("right")))
	tests := []struct {
		name, file, text string
		change           func(path string) error
		want             error
	}{
		{"as it was", "ok.SMX", "x", nil, nil},
		{"empty", "empty.SMX", "", nil, nil},
		{"other bytes than the name's hash", wrong, "wrong", nil, ErrHashMismatch},
		{"too large", "big.SMX", strings.Repeat("x", 101), nil, ErrTooLarge},
		{"vanished", "gone.SMX", "x", os.Remove, fs.ErrNotExist},
		{"grown since", "grown.SMX", "x", func(path string) error { return os.WriteFile(path, []byte("xy"), 0) }, ErrChanged},
		{"replaced since", "new.SMX", "x", func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("y"), 0o600))
		}, fs.ErrNotExist},
		{"a link since", "link.SMX", "x", func(path string) error {
			return errors.Join(os.Remove(path), os.Symlink("/dev/zero", path))
		}, ErrChanged},
	}
	l := loader(t, d, 1, 1)
	defer l.Close()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := dropAt(t, d, Normal, test.file, test.text)
			c := claim(t, l)
			if test.change != nil {
				check(t, test.change(path))
			}
			buf := make([]byte, 3, 50)
			data, err := c.Files[0].Read(buf)
			if !errors.Is(err, test.want) || (err == nil && string(data) != test.text) {
				t.Errorf("read %q, %v", data, err)
			}
			if err == nil && len(data) > 0 && &data[0] != &buf[0] {
				t.Error("the buffer was not used")
			}
			check(t, c.Done(c.Files...))
			if _, err := os.Lstat(path); test.change != nil && test.name != "vanished" && err != nil {
				t.Error("Done deleted what was not claimed")
			}
			_ = os.Remove(path)
		})
	}
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
			check(t, c.SetAsideRecord(f, 7, []byte("old record"), reason))
			check(t, c.SetAsideRecord(f, 7, []byte("record"), reason))
			check(t, c.SetAside(f, reason))
		} else {
			check(t, c.Done(f))
		}
	}
	v := onDisk{d.Root()}
	want := []string{"bad.SMX", "bad.SMX.7.SMX", "bad.SMX.7.SMX.reason.json", "bad.SMX.reason.json"}
	if got := v.list(corruptFolder); !slices.Equal(got, want) {
		t.Errorf("corrupt holds %v", got)
	}
	data, _ := v.read(corruptFolder, "bad.SMX.reason.json")
	wantJSON := `{"time":"1970-01-01T00:00:00Z","code":"xml_syntax","reason":"`
	if !strings.HasPrefix(strings.NewReplacer("\n", "", ": ", ":", "  ", "").Replace(string(data)), wantJSON) {
		t.Errorf("reason %s", data)
	}
	if data, _ := v.read(corruptFolder, "bad.SMX.7.SMX"); string(data) != "record" {
		t.Errorf("record %s", data)
	}
	if c := claim(t, l); c != nil || len(v.list(folder(Normal))) > 0 || len(v.list(processFolder)) > 0 {
		t.Errorf("left: %v %v", v.list(folder(Normal)), v.list(processFolder))
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
			check(t, c.SetAsideRecord(c.Files[0], 10_000, []byte("r"), Reason{Code: "c"}))
			check(t, c.SetAside(c.Files[0], Reason{Code: text}))
		}
	}
	v := onDisk{d.Root()}
	for name, text := range map[string]string{"bad.SMX": "one", "bad~2.SMX": "two", "bad~3.SMX": "three", shortened(long): "one"} {
		if data, _ := v.read(corruptFolder, name); string(data) != text {
			t.Errorf("corrupt/%s holds %q", name, data)
		}
		if reason, _ := v.read(corruptFolder, name+reasonSuffix); !bytes.Contains(reason, []byte(`"code": "`+text+`"`)) {
			t.Errorf("corrupt/%s has the reason %s", name, reason)
		}
	}
	if got := len(v.list(corruptFolder)); got != 2*3*2+2*2 {
		t.Errorf("%d entries in corrupt: %v", got, v.list(corruptFolder))
	}
}

func TestAFileThatCannotBeSetAsideBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel()
		d := newDir(DefaultConfig(), "/model", m, slog.New(slog.DiscardHandler))
		m.drop(folder(Normal), "bad.SMX", "bad")
		m.drop(folder(Normal), "good.SMX", "good")
		l := loader(t, d, 2, 1)
		m.before = func(call string, at folder, name string) error {
			if at == corruptFolder {
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
		if got := m.list(folder(Normal)); !slices.Equal(got, []string{"bad.SMX"}) {
			t.Fatalf("waiting: %v", got)
		}
		check(t, d.Ready()) // the relay goes on
		for _, delay := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			delay *= time.Second
			if n, due := l.Postponed(); n != 1 || time.Until(due) != delay {
				t.Errorf("%d postponed, for %v, want %v", n, time.Until(due), delay)
			}
			time.Sleep(delay - 1)
			if c := claim(t, l); c != nil {
				t.Fatalf("claimed %v before its delay of %v", names(c), delay)
			}
			time.Sleep(1)
			c = claim(t, l)
			if c == nil || !c.Files[0].Claimed.Equal(claimed) {
				t.Fatalf("after %v: %v", delay, c)
			}
			if err := c.SetAsideRecord(c.Files[0], 1, nil, Reason{}); err == nil {
				t.Fatal("kept a record where nothing can be written")
			}
		}
		m.before = nil
		time.Sleep(time.Minute)
		c = claim(t, l)
		check(t, c.SetAside(c.Files[0], Reason{Code: "x"}))
		if got := m.list(corruptFolder); len(got) != 2 || claim(t, l) != nil || len(m.list(processFolder)) > 0 {
			t.Errorf("corrupt: %v, process: %v", got, m.list(processFolder))
		}
	})
}

func TestAFileThatIsStillArrivingIsNotCalledBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel()
		d := newDir(DefaultConfig(), "/model", m, slog.New(slog.DiscardHandler))
		m.drop(folder(Normal), "cp.SMX", "<Rep")
		l := loader(t, d, 2, 1)
		c := claim(t, l)
		m.now[folder(Normal)]["cp.SMX"].mtime = time.Now()
		c.Files[0].entry.id = m.now[folder(Normal)]["cp.SMX"].stat().identity()
		wake := l.Wake(t.Context())
		go func() {
			time.Sleep(500 * time.Millisecond)
			m.mu.Lock()
			m.now[folder(Normal)]["cp.SMX"].data = []byte("<Report/>")
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

func TestAFullDiskDoesNotStopWhatTheRelayWrote(t *testing.T) {
	m := newModel()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	ours := put(t, d, Normal, "x")
	m.drop(folder(Normal), "dropped.SMX", "y")
	l := loader(t, d, 5, 1)
	full := true
	m.before = func(call string, at folder, name string) error {
		if full && call == "write" {
			return errNoSpace
		}
		return nil
	}
	c := claim(t, l)
	if got := names(c); !slices.Equal(got, []string{ours}) {
		t.Fatalf("claimed %v", got)
	}
	check(t, c.Done(c.Files...))
	if _, err := l.Claim(); !errors.Is(err, ErrDiskFull) {
		t.Errorf("a dropped file was claimed without a list: %v", err)
	}
	full = false
	if got := names(claim(t, l)); !slices.Equal(got, []string{"dropped.SMX"}) {
		t.Errorf("claimed %v", got)
	}
}

func TestReportsFoundInProcessGoBackToWaiting(t *testing.T) {
	d := open(t)
	process := filepath.Join(d.Root(), "process")
	check(t, os.WriteFile(filepath.Join(process, "A.SMX"), []byte("moved"), 0o600))
	check(t, os.WriteFile(filepath.Join(process, "notes.txt"), []byte("an operator's"), 0o600))
	dropAt(t, d, Normal, "A.SMX", "waiting")
	l := loader(t, d, 5, 1)
	defer l.Close()
	if got := names(claim(t, l)); len(got) != 2 || !slices.Contains(got, "A~2.SMX") {
		t.Errorf("claimed %v", got)
	}
	if got := (onDisk{d.Root()}).list(processFolder); !slices.Contains(got, "notes.txt") {
		t.Errorf("process holds %v", got)
	}
}

func TestAListOfANewerVersionStopsTheStartAndABrokenOneIsSetAside(t *testing.T) {
	d := open(t)
	process := filepath.Join(d.Root(), "process")
	dropAt(t, d, Normal, "A.SMX", "x")
	broken := filepath.Join(process, "1.claim")
	check(t, os.WriteFile(broken, []byte(`{"statewire_claim":1,"files":2}{"lane":"normal","name":"A.SMX"}`), 0o600))
	l := loader(t, d, 5, 1)
	if got := names(claim(t, l)); !slices.Equal(got, []string{"A.SMX"}) {
		t.Errorf("claimed %v", got)
	}
	check(t, l.Close())
	if got := (onDisk{d.Root()}).list(corruptFolder); !slices.Equal(got, []string{"1.claim", "1.claim.reason.json"}) {
		t.Errorf("corrupt holds %v", got)
	}
	check(t, os.WriteFile(filepath.Join(process, "2.claim"), []byte(`{"statewire_claim":2,"files":0}`), 0o600))
	if _, err := d.Loader(1, 1); !errors.Is(err, errListVersion) || !strings.Contains(err.Error(), "2.claim") {
		t.Errorf("a list of a newer version: %v", err)
	}
	check(t, os.Remove(filepath.Join(process, "2.claim")))
	check(t, loader(t, d, 1, 1).Close()) // the refusal gave the lock back
}

func TestALaneThatIsGoneIsReported(t *testing.T) {
	d := open(t)
	l := loader(t, d, 1, 1)
	defer l.Close()
	check(t, os.RemoveAll(filepath.Join(d.Root(), "incoming", "low")))
	if _, err := l.Claim(); !errors.Is(err, ErrMoved) {
		t.Errorf("Claim = %v", err)
	}
	name := put(t, d, Normal, "x")
	if got := names(claim(t, l)); !slices.Equal(got, []string{name}) {
		t.Errorf("claimed %v from the other lanes", got)
	}
}

func FuzzClaimList(f *testing.F) {
	f.Add([]byte(`{"statewire_claim":1,"pid":1,"files":0}`))
	e := &entry{lane: High, name: "\xff.SMX", id: identity{1, 2, 3}, claimed: time.Unix(1, 1000).UTC()}
	f.Add(encodeList(4711, []*entry{e}))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decodeList(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := decodeList(bytes.NewReader(encodeList(1, entries)))
		check(t, err)
		for i := range entries {
			if *again[i] != *entries[i] {
				t.Fatalf("%+v becomes %+v", entries[i], again[i])
			}
			if strings.ContainsAny(entries[i].name, "/\x00") {
				t.Fatalf("a list leads to %q", entries[i].name)
			}
		}
	})
}
