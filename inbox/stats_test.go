//go:build linux || darwin

package inbox

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"statewire/inbox/disk"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"golang.org/x/sys/unix"
)

// everyKind puts one entry of each foreign kind into a lane.
func everyKind(t *testing.T, d *Dir, lane Lane) map[string]string {
	t.Helper()
	at := filepath.Join(d.Root(), disk.Folder(lane).String())
	kinds := map[string]string{"dir": "folder.SMX", "symlink": "link.SMX", "fifo": "pipe.SMX", "socket": "socket.SMX",
		"hidden": ".hidden.SMX", "tmp": "half.SMX.tmp", "suffix": "notes.txt"}
	check(t, os.Mkdir(filepath.Join(at, kinds["dir"]), 0o700))
	check(t, os.Symlink("/etc/passwd", filepath.Join(at, kinds["symlink"])))
	check(t, unix.Mkfifo(filepath.Join(at, kinds["fifo"]), 0o600))
	check(t, unix.Mknod(filepath.Join(at, kinds["socket"]), unix.S_IFSOCK|0o600, 0))
	for _, kind := range []string{"hidden", "tmp", "suffix"} {
		check(t, os.WriteFile(filepath.Join(at, kinds[kind]), []byte("x"), 0o600))
	}
	if err := unix.Mknod(filepath.Join(at, "device.SMX"), unix.S_IFCHR|0o600, 1<<8|3); err == nil {
		kinds["device"] = "device.SMX" // only root can make one
	}
	return kinds
}

func TestStatsCountEveryFileOnceAndForeignEntriesByKind(t *testing.T) {
	d := open(t)
	at := time.Now().UTC().Add(-time.Hour).Truncate(time.Microsecond)
	d.disk = nameTimes{d.disk}
	for lane := range lanes {
		for i := range int(lane) + 1 {
			_, err := d.Put(lane, []byte("12345"), at.Add(time.Duration(i)*time.Minute))
			check(t, err)
		}
	}
	kinds := everyKind(t, d, Low)
	l := loader(t, d, 1, 1)
	defer l.Close()
	c := claim(t, l) // the one of the high lane
	check(t, os.WriteFile(filepath.Join(d.Root(), "corrupt", "bad.SMX"), []byte("123"), 0o600))
	check(t, os.WriteFile(filepath.Join(d.Root(), "corrupt", "bad.SMX.reason.json"), []byte("{}"), 0o600))
	s, err := d.Stats()
	check(t, err)
	want := map[string][2]int64{"high": {0, 0}, "normal": {2, 10}, "low": {3, 15}, "process": {1, 5}, "corrupt": {1, 3},
		"waiting": {6, 30}}
	boxes := map[string]Box{"high": s.High, "normal": s.Normal, "low": s.Low, "process": s.Process, "corrupt": s.Corrupt,
		"waiting": s.Waiting()}
	for name, b := range boxes {
		if got := [2]int64{int64(b.Files), b.Bytes}; got != want[name] {
			t.Errorf("%s: %d files, %d bytes, want %v", name, b.Files, b.Bytes, want[name])
		}
		oldest := name == "normal" || name == "low" || name == "process" || name == "waiting"
		if oldest && !b.Oldest.Equal(at) {
			t.Errorf("%s: oldest %v, want %v", name, b.Oldest, at)
		}
	}
	if s.High.Age(time.Now()) != 0 || s.Waiting().Age(at.Add(time.Minute)) != time.Minute {
		t.Errorf("ages %v, %v", s.High.Age(time.Now()), s.Waiting().Age(at.Add(time.Minute)))
	}
	for kind, name := range kinds {
		if s.Foreign[kind] != 1 || !slices.Contains(s.ForeignNames, "incoming/low/"+name) {
			t.Errorf("%s is not reported: %v %v", kind, s.Foreign, s.ForeignNames)
		}
	}
	check(t, c.Done(c.Files...))
	d.stats.took = 0
	if s, err = d.Stats(); err != nil || s.Waiting().Files != 5 {
		t.Errorf("after one was done: %d waiting, %v", s.Waiting().Files, err)
	}
}

// nameTimes is a disk on which every file came when the name that Put gave it says.
type nameTimes struct{ disk.Disk }

func (n nameTimes) Stat(at disk.Folder, name string) (disk.Stat, error) {
	s, err := n.Disk.Stat(at, name)
	if named, _, ok := parsePutName(name); ok {
		s.Ctime = named
	}
	return s, err
}

func TestAgeCountsFromWhenAFileCameIntoThisInbox(t *testing.T) {
	week := time.Now().AddDate(0, 0, -7)
	d := open(t)
	began := time.Now().Add(-coarse) // the system's file times are coarse
	_, err := d.Put(Normal, []byte("a relay's file of last week, loaded today"), week)
	check(t, err)
	source := filepath.Join(t.TempDir(), putName(week, [32]byte{1}))
	check(t, os.WriteFile(source, []byte("x"), 0o600))
	name, err := d.Copy(t.Context(), source)
	check(t, err)
	if !IsPutName(name) {
		t.Fatalf("copied as %s", name)
	}
	check(t, os.Chtimes(dropAt(t, d, High, "cp-p.SMX", "x"), week, week))
	check(t, d.Close())
	d = openAt(t, d.Root()) // a restart changes nothing
	claimIn(t, d, 1)
	s, err := d.Stats()
	check(t, err)
	if since := s.Waiting().Oldest; s.Waiting().Files != 3 || since.Before(began) || since.After(time.Now().Add(coarse)) {
		t.Errorf("%d files wait since %v, want 3 since %v", s.Waiting().Files, since, began)
	}
	files, _, err := d.Holding(t.Context(), client(1), readNames, 10)
	check(t, err)
	for _, f := range files {
		if f.Since.Before(began) {
			t.Errorf("%s waits since %v, want since %v", f.Name, f.Since, began)
		}
	}
}

func TestTheOldestOfAVeryLongLaneIsExact(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Microsecond)
	const files = exactFiles + 2000
	for _, test := range []struct {
		name  string
		stamp func(i int) time.Time // in the name of the i-th file; the last came first
	}{
		{"what the relay wrote", func(i int) time.Time { return at.Add(-time.Duration(i) * time.Second) }},
		{"relay files of last week, copied",
			func(i int) time.Time { return at.AddDate(0, 0, -7).Add(time.Duration(i) * time.Second) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newModel()
			d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
			for i := range files {
				name := putName(test.stamp(i), [32]byte{byte(i), byte(i >> 8)})
				m.drop(disk.Folder(Normal), name, "x")
				m.now[disk.Folder(Normal)][name].ctime = at.Add(-time.Duration(i) * time.Second)
			}
			s, err := d.Stats()
			check(t, err)
			if want := at.Add(-(files - 1) * time.Second); s.Normal.Files != files || !s.Normal.Oldest.Equal(want) {
				t.Errorf("%d files, the oldest of %v, want %v", s.Normal.Files, s.Normal.Oldest, want)
			}
		})
	}
}

func TestTheSizeOfAVeryLongLaneIsEstimated(t *testing.T) {
	m := newModel()
	d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
	const files = 3 * exactFiles
	at := time.Now()
	for i := range files {
		m.drop(disk.Folder(Normal), putName(at.Add(time.Duration(i)), [32]byte{byte(i), byte(i >> 8)}), "12345"[:1+i%5])
	}
	s, err := d.Stats()
	check(t, err)
	if s.Normal.Files != files || s.Normal.Bytes < 3*files*95/100 || s.Normal.Bytes > 3*files*105/100 {
		t.Errorf("%d files, %d bytes of %d", s.Normal.Files, s.Normal.Bytes, 3*files)
	}
}

func TestStatsAreKeptForTwentyTimesWhatCountingTakes(t *testing.T) {
	d := open(t)
	put(t, d, Normal, "x")
	first, err := d.Stats()
	check(t, err)
	put(t, d, Normal, "y")
	d.stats.took = time.Hour // as if it had
	d.stats.last.At = first.At.Add(-20*time.Hour + time.Minute)
	if again, err := d.Stats(); err != nil || again.Normal.Files != 1 {
		t.Errorf("counted again: %v, %v", again.At, err)
	}
	d.stats.last.At = first.At.Add(-20 * time.Hour)
	if again, err := d.Stats(); err != nil || again.Normal.Files != 2 {
		t.Errorf("after twenty times what it took: %d files, %v", again.Normal.Files, err)
	}
	put(t, d, Normal, "z")
	d.stats.took = 0
	if again, err := d.Stats(); err != nil || again.Normal.Files != 3 {
		t.Errorf("%d files, %v", again.Normal.Files, err)
	}
	put(t, d, Normal, "w")
	d.stats.counting.Lock() // as if another caller counted
	if again, err := d.Stats(); err != nil || again.Normal.Files != 3 {
		t.Errorf("while another counts: %d files, %v", again.Normal.Files, err)
	}
	d.stats.counting.Unlock()
}

func TestMetricsSayWhatStatsSay(t *testing.T) {
	d := open(t)
	put(t, d, High, "12")
	dropAt(t, d, Normal, "notes.txt", "x")
	reg := prometheus.NewPedanticRegistry()
	check(t, reg.Register(d.Collector()))
	families, err := reg.Gather()
	check(t, err)
	var text strings.Builder
	for _, family := range families {
		_, err := expfmt.MetricFamilyToText(&text, family)
		check(t, err)
	}
	want := []string{`inbox_files{box="corrupt"} 0`, `inbox_files{box="high"} 1`, `inbox_files{box="low"} 0`,
		`inbox_files{box="normal"} 0`,
		`inbox_files{box="process"} 0`, `inbox_bytes{box="high"} 2`, `inbox_oldest_age_seconds{box="normal"} 0`,
		`inbox_foreign_entries{kind="suffix"} 1`, `inbox_fault 0`, `inbox_events_total{event="put"} 1`}
	for _, line := range want {
		if !strings.Contains(text.String(), "\nstatewire_"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, text.String())
		}
	}
}

func TestDeadFilesAreListedShownAndReplayed(t *testing.T) {
	d := open(t)
	l := loader(t, d, 3, 1)
	defer l.Close()
	for i := range 3 {
		dropAt(t, d, Low, fmt.Sprintf("%d.SMX", i), fmt.Sprint("bad ", i))
	}
	c := claim(t, l)
	reason := Reason{Time: time.Unix(5, 0).UTC(), Code: "xml_syntax", Reason: "why", Line: 3, Column: 4}
	for i, f := range c.Files {
		check(t, setRecordAside(c, f, i+1, []byte("record"), reason))
		check(t, c.SetAside(f, reason))
	}
	check(t, os.Mkdir(filepath.Join(d.Root(), "corrupt", "folder"), 0o700))
	files, records := 0, 0
	for bad, err := range d.BadFiles() {
		check(t, err)
		bad.Reason.File, bad.Reason.Size, bad.Reason.MTime = "", 0, 0
		if !reflect.DeepEqual(bad.Reason, reason) || bad.Size == 0 || time.Since(bad.Since) > time.Minute {
			t.Errorf("listed %+v", bad)
		}
		if bad.Record {
			records++
		} else {
			files++
		}
	}
	if files != 3 || records != 3 {
		t.Errorf("%d files, %d records", files, records)
	}
	for range d.BadFiles() {
		break // a reader may stop at any time
	}
	data, err := d.ReadBad("1.SMX")
	check(t, err)
	if string(data) != "bad 1" {
		t.Errorf("read %q", data)
	}
	b, err := d.Bad("1.SMX")
	check(t, err)
	for range 2 { // the second changes nothing
		name, err := d.Replay(b, []byte("mended"))
		check(t, err)
		if data, _ := (onDisk{d.Root()}).read(disk.Folder(Normal), name); name != "1.SMX.again-"+b.Token+".SMX" ||
			string(data) != "mended" {
			t.Errorf("replayed as %s with %q", name, data)
		}
	}
	if _, err := d.Replay(b, []byte("mended otherwise")); err == nil {
		t.Error("two mended copies of one file wait")
	}
	if name, waits := d.Waits(b); name != "1.SMX.again-"+b.Token+".SMX" || !waits {
		t.Errorf("Waits says %q, %v", name, waits)
	}
	if again, err := d.Bad("1.SMX"); err != nil || again.Token != b.Token {
		t.Errorf("what is tried again left corrupt before it was stored: %v", err)
	}
	check(t, os.WriteFile(filepath.Join(d.Root(), "corrupt", "1.SMX"), []byte("bad, and somebody's edit"), 0o600))
	if err := d.RemoveBad(b); !errors.Is(err, ErrChanged) {
		t.Errorf("what has changed since it was looked at is deleted: %v", err)
	}
	if data, err := d.ReadBad("1.SMX"); err != nil || string(data) != "bad, and somebody's edit" {
		t.Errorf("it holds %q, %v", data, err)
	}
	for _, name := range []string{"", "..", "../incoming/1.SMX", "9.SMX", "0.SMX.reason.json", "folder"} {
		if _, err := d.Bad(name); err == nil {
			t.Errorf("found %q", name)
		}
		if _, err := d.ReadBad(name); err == nil {
			t.Errorf("read %q", name)
		}
	}
}

func TestAReportIsNamedByItsEndInAnyCase(t *testing.T) {
	for name, want := range map[string]bool{
		"a.SMX": true, "a.smx": true, "a.SMW": true, "a.smw": true, "a.Smw": true, "a.xml": false, "a": false, "SMX": false,
		"a.SMX.tmp": false,
	} {
		if isReport(name) != want {
			t.Errorf("%s: a report: %v", name, !want)
		}
	}
}

// A set-aside record from before there were lists has a reason without records, and is one.
func TestASetAsideRecordWithoutAListIsOne(t *testing.T) {
	d := open(t)
	for name, reason := range map[string]string{"a.SMX.3.SMX": "{}", "b.SMX": "{}"} {
		check(t, os.WriteFile(filepath.Join(d.Root(), "corrupt", name), []byte("x"), 0o600))
		check(t, os.WriteFile(filepath.Join(d.Root(), "corrupt", name+".reason.json"), []byte(reason), 0o600))
	}
	for name, want := range map[string]int{"a.SMX.3.SMX": 1, "b.SMX": 0} {
		if b, err := d.Bad(name); err != nil || b.Number != want || b.Record != (want > 0) {
			t.Errorf("%s: %d records, %v, %v", name, b.Number, b.Record, err)
		}
	}
}
