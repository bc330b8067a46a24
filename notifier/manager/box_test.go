package manager

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/notifier/wire"
)

func TestReportsOfAServerLoadInTheOrderOfTheirVersions(t *testing.T) {
	b := newBench(t)
	b.load(full(1))
	b.put(delta(3, off(1, 8, 2, 1, "closed")))
	b.step()
	b.want("one before it is missing", 1, "unknown")
	b.load(delta(2, on(1, 8, 1, 0)))
	b.want("both are there", 1, "offline 1 8.2 closed")
	if w := b.work(1, 1, 0); w.Full {
		t.Error("nothing was missed, and a full report is asked for")
	}
	b.put(delta(5, on(1, 9, 1, 2)))
	b.pass(50 * time.Second)
	b.want("it waits", 1, "offline 1 8.2 closed")
	b.pass(20 * time.Second)
	b.want("60 seconds: the one before counts as missed", 1, "online 1 9.1 signin")
	if got := b.messageIDs(); !slices.Contains(got, wire.VersionMissed) {
		t.Errorf("messages %v, want one that a version was missed", got)
	}
	if w := b.work(1, 1, 0); !w.Full {
		t.Error("a report was missed, and no full one is asked for")
	}
	b.load(delta(4, on(2, 5, 1, 0), off(1, 8, 9, 0, "closed")))
	b.want("the missed one comes late: what is greater counts", 2, "online 1 5.1 signin")
	b.want("and what is smaller does not", 1, "online 1 9.1 signin")
	r := full(9, on(1, 9, 1, 2))
	r.Base = 5
	b.load(r)
	b.want("it builds on what is loaded: the server left versions out", 2, "offline 1 5.1 server_full")
	if s, err := b.Servers(t.Context()); err != nil || s[0].Version != 9 {
		t.Errorf("%+v, %v", s, err)
	}
	if left := b.files("."); len(left) > 0 {
		t.Errorf("left in the box: %v", left)
	}
}

// A BOS file that is deleted before it is read: the next report is full, and the truth is back.
func TestAMissedReportIsMadeUpForByAFullOne(t *testing.T) {
	b := newBench(t)
	b.load(full(1, on(1, 8, 1, 0), on(2, 3, 1, 0)))
	b.load(delta(3, on(3, 1, 1, 0))) // 2 said that client 1 went and client 4 came
	b.pass(61 * time.Second)
	w := b.work(1, 1, 0)
	if !w.Full {
		t.Fatal("no full report is asked for")
	}
	if again := b.work(1, 1, 0); again.Number != w.Number || !again.Full {
		t.Errorf("unconfirmed work comes again: %+v", again)
	}
	if then := b.work(1, 1, w.Number); !then.Empty() {
		t.Errorf("confirmed work is done: %+v", then)
	}
	b.load(full(4, on(2, 3, 1, 0), on(3, 1, 1, 0), on(4, 6, 1, 0)))
	b.want("went unnoticed", 1, "offline 1 8.1 server_full")
	b.want("came unnoticed", 4, "online 1 6.1 signin")
	b.want("was there all the time", 2, "online 1 3.1 signin")
	b.pass(2 * time.Minute)
	if w := b.work(1, 1, w.Number); w.Full {
		t.Error("a full report came, and another one is asked for")
	}
}

func TestAFullReportIsOwedUntilItComes(t *testing.T) {
	b := newBench(t)
	b.load(delta(1, on(1, 8, 1, 0)))
	w := b.work(1, 1, 0)
	if !w.Full {
		t.Fatal("the first report of a server builds on something, and no full one is asked for")
	}
	b.load(delta(2))
	if w := b.work(1, 1, w.Number); w.Full {
		t.Error("it was asked just now, and is asked again")
	}
	b.pass(61 * time.Second)
	b.load(delta(3))
	again := b.work(1, 1, w.Number)
	if !again.Full {
		t.Error("it owes the full report for a minute, and is not asked again")
	}
	b.restart()
	if w := b.work(1, 1, again.Number); !w.Full {
		t.Error("the manager forgot that a full report is owed")
	}
}

func TestAServerThatStartedAnew(t *testing.T) {
	for _, version := range []uint64{1, 8} { // it counts its reports on, or from 1
		b := newBench(t)
		b.load(full(7, on(1, 8, 1, 0)))
		r := delta(version, on(2, 5, 1, 1))
		r.Epoch = 2
		b.load(r)
		b.want("its first report loads at once", 2, "online 1 5.1 signin")
		b.want("whom it does not name is not gone yet", 1, "online 1 8.1 signin")
		w := b.work(1, 2, 0)
		if !w.Full {
			t.Fatal("a new start is no reason for a full report")
		}
		r = full(version+1, on(2, 5, 1, 1))
		r.Epoch = 2
		b.load(r)
		b.want("the full report does not name it", 1, "offline 1 8.1 server_full")
		old := delta(9, on(3, 1, 1, 0))
		b.load(old)
		if s, err := b.Servers(t.Context()); err != nil || s[0].Epoch != 2 || s[0].Version != version+1 {
			t.Errorf("a report of an earlier start comes late: %+v, %v", s, err)
		}
	}
}

// A server whose spool was lost counts its starts from 1 again. Its files alone would be late for ever.
func TestTheEpochOfAServerThatSpeaksIsTheTrueOne(t *testing.T) {
	b := newBench(t)
	r := full(7, on(1, 8, 1, 0))
	r.Epoch = 1000
	b.load(r)
	if w := b.work(1, 1, 0); !w.Full {
		t.Error("no full report is asked for")
	}
	b.load(full(1))
	b.want("its reports count", 1, "offline 1 8.1 server_full")
}

// A start that has the number of one before it, and a file that tells of more reports than there were, hold up no
// report for longer than until the server speaks.
func TestTheReportsOfAServerThatSpeaksAreNotLate(t *testing.T) {
	for name, before := range map[string][]wire.Report{
		"a count of starts that was put back": {full(1, on(1, 8, 1, 0)), delta(2), delta(3), delta(4), delta(5)},
		"a file that lies":                    {full(1, on(1, 8, 1, 0)), full(1<<62, on(1, 9, 1, 0), on(3, 1, 1, 0))},
	} {
		b := newBench(t)
		b.load(before...)
		b.pass(missedAfter)
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // it does not wait
		ask := wire.Ask{Server: "push1", ServerID: 1, Epoch: 1, Version: 1}
		if w, err := b.Work(ctx, ask); err == nil && !w.Full {
			t.Errorf("%s: %+v", name, w)
		}
		b.load(full(2, on(2, 3, 1, 10)))
		b.want(name, 1, "offline 1 "+map[bool]string{true: "8.1", false: "9.1"}[len(before) > 2]+" server_full")
		b.want(name, 2, "online 1 3.1 signin")
		b.load(delta(3, off(2, 3, 2, 11, wire.OfflineClosed)))
		b.want(name, 2, "offline 1 3.2 closed")
	}
}

func TestThePartsOfAReportBelongTogether(t *testing.T) {
	part := func(r wire.Report, part, parts int) wire.Report {
		r.Part, r.Parts = part, parts
		return r
	}
	b := newBench(t)
	b.load(full(1, on(1, 1, 1, 0), on(2, 1, 1, 0), on(3, 1, 1, 0)))
	b.put(part(full(2, on(2, 1, 1, 0)), 2, 2))
	b.step()
	b.want("a part is missing: nobody is gone", 1, "online 1 1.1 signin")
	b.load(part(full(2, on(1, 1, 1, 0)), 1, 2))
	b.want("named in the first part", 1, "online 1 1.1 signin")
	b.want("named in the second part", 2, "online 1 1.1 signin")
	b.want("named in none", 3, "offline 1 1.1 server_full")
	b.load(part(full(3, on(1, 2, 1, 0)), 1, 3))
	b.pass(61 * time.Second)
	b.want("a part did not come: rows count", 1, "online 1 2.1 signin")
	b.want("and nobody is gone", 2, "online 1 1.1 signin")
	if w := b.work(1, 1, 0); !w.Full {
		t.Error("a part did not come, and no full report is asked for")
	}
}

func TestAFileThatLoadsAgainChangesNothing(t *testing.T) {
	b := newBench(t)
	reports := []wire.Report{full(1, on(1, 8, 1, 0)), delta(2, on(2, 3, 1, 0), off(1, 8, 2, 1, "closed")),
		full(3, on(3, 1, 1, 0)), delta(4, on(2, 4, 1, 0))}
	b.load(reports...)
	before, versions := b.all(), b.counter
	for range 2 {
		for _, r := range slices.Backward(reports) {
			b.put(r)
		}
		b.step()
		b.restart()
	}
	if after := b.all(); after != before || b.counter != versions {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
	if left := b.files("."); len(left) > 0 {
		t.Errorf("left in the box: %v", left)
	}
}

// A kill between the state file and the removal of a file: the file is loaded again.
func TestAFileIsRemovedOnlyOnceItsRowsAreKept(t *testing.T) {
	b := newBench(t)
	name := b.put(full(1, on(1, 8, 1, 0)))
	if err := b.db.Close(); err != nil { // what is written now fails
		t.Fatal(err)
	}
	b.step()
	if !slices.Contains(b.files("."), name) {
		t.Fatal("the rows could not be kept, and the file is gone")
	}
	b.want("nothing is known that is not kept", 1, "unknown")
	b.open()
	if err := os.Chmod(b.cfg.Box, 0o500); err != nil {
		t.Fatal(err)
	}
	b.step()
	b.want("loaded", 1, "online 1 8.1 signin")
	if os.Getuid() != 0 && !slices.Contains(b.files("."), name) {
		t.Error("a folder that cannot be written gave up a file")
	}
	if err := os.Chmod(b.cfg.Box, 0o700); err != nil {
		t.Fatal(err)
	}
	b.put(full(1, on(1, 8, 1, 0))) // as if it were still there
	before := b.counter
	b.restart()
	b.step()
	if len(b.files(".")) > 0 || b.counter != before {
		t.Errorf("after the next start: files %v, version %d, was %d", b.files("."), b.counter, before)
	}
}

// A row with an empty id among twenty: nineteen are loaded, and the bad one is kept with the reason.
func TestABadRowIsLeftOutAndKept(t *testing.T) {
	b := newBench(t)
	var rows []wire.Row
	for n := range 20 {
		rows = append(rows, on(n+1, 1, 1, 0))
	}
	text := strings.Replace(string(full(1, rows...).Encode()), "GUID:"+strings.ToUpper(id(7).String()), "", 1)
	b.drop("BgbAAAAAAAA.BOS", []byte(text))
	b.step()
	if len(b.clients) != 19 || b.is(7) != "unknown" {
		t.Errorf("%d clients, want 19", len(b.clients))
	}
	if got, want := b.files("bad"), []string{"BgbAAAAAAAA.7.BOS", "BgbAAAAAAAA.7.BOS.reason.json"}; !slices.Equal(got,
		want) {
		t.Fatalf("kept %v, want %v", got, want)
	}
	kept, err := os.ReadFile(filepath.Join(b.cfg.Box, "bad", "BgbAAAAAAAA.7.BOS"))
	if err != nil || !strings.HasPrefix(string(kept), "<Client ID=\"\"") {
		t.Errorf("kept %q, %v", kept, err)
	}
	reason := readReason(t, filepath.Join(b.cfg.Box, "bad", "BgbAAAAAAAA.7.BOS.reason.json"))
	if reason.Row != 7 || reason.File != "BgbAAAAAAAA.BOS" || !strings.Contains(reason.Reason, "ID is") {
		t.Errorf("reason %+v", reason)
	}
	if got := b.messageIDs(); !slices.Contains(got, wire.BadFile) {
		t.Errorf("messages %v, want one of a bad file", got)
	}
}

func readReason(t *testing.T, path string) (a aside) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFilesThatCannotBeLoadedAreSetAside(t *testing.T) {
	stranger := full(1, on(1, 8, 1, 0))
	stranger.Server = "push9"
	other := full(1, on(1, 8, 1, 0))
	other.ServerID = 9
	for _, c := range []struct {
		name   string
		data   []byte
		reason string
	}{
		{"of a server with another name", stranger.Encode(), "none of this site"},
		{"of a server with another id", other.Encode(), "none of this site"},
		{"no XML", []byte("hello"), "root element"},
		{"empty", nil, "the file is empty"},
		{"cut off", full(1, on(1, 8, 1, 0)).Encode()[:300], "the file ends too early"},
	} {
		b := newBench(t)
		name := b.drop("BgbAAAAAAAA.BOS", c.data)
		b.step()
		if got := b.files("bad"); !slices.Equal(got, []string{name, name + ".reason.json"}) || len(b.files(".")) > 0 {
			t.Errorf("%s: set aside %v", c.name, got)
			continue
		}
		if a := readReason(t, filepath.Join(b.cfg.Box, "bad", name+".reason.json")); !strings.Contains(a.Reason, c.reason) {
			t.Errorf("%s: %+v", c.name, a)
		}
		if kept, err := os.ReadFile(filepath.Join(b.cfg.Box, "bad", name)); err != nil || string(kept) != string(c.data) {
			t.Errorf("%s: kept %q, %v", c.name, kept, err)
		}
		if len(b.clients) > 0 {
			t.Errorf("%s: it was loaded", c.name)
		}
	}
}

// A file that is copied into the folder, and met while it is empty or half there, is whole a moment later.
func TestAFileThatIsBeingWrittenIsNotBad(t *testing.T) {
	b := newBench(t)
	text := full(1, on(1, 8, 1, 0)).Encode()
	for _, part := range [][]byte{nil, text[:300], text} {
		path := filepath.Join(b.cfg.Box, b.drop("BgbAAAAAAAA.BOS", part))
		b.now = b.now.Add(time.Second)
		if err := os.Chtimes(path, b.now, b.now); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(writtenFor - time.Millisecond)
		b.step()
		if got := b.files("bad"); len(got) > 0 {
			t.Fatalf("set aside with %d bytes: %v", len(part), got)
		}
	}
	if len(b.clients) != 1 || len(b.files(".")) > 0 {
		t.Errorf("%d clients known, %v left", len(b.clients), b.files("."))
	}
}

func TestWhatIsNoFileIsSetAsideUnread(t *testing.T) {
	b := newBench(t)
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, full(1, on(1, 8, 1, 0)).Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(b.cfg.Box, "BgbLLLLLLLL.BOS")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(b.cfg.Box, "BgbDDDDDDDD.BOS"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.drop("BgbAAAAAAAA.BLD", []byte("of another program"))
	b.drop(".new-x.BOS", []byte("not whole yet"))
	b.step()
	if got := b.files("."); !slices.Equal(got, []string{".new-x.BOS", "BgbAAAAAAAA.BLD"}) {
		t.Errorf("left %v", got)
	}
	if len(b.clients) > 0 {
		t.Error("a link was followed")
	}
}

// From the tenth bad file of a server within an hour they lie in a folder of their own, and one message tells of all.
func TestManyBadFilesOfAServerGiveOneAlert(t *testing.T) {
	b := newBench(t)
	bad := func(i int) { b.drop(fmt.Sprintf("BgbAAAAAA%02d.BOS", i), []byte("bad")); b.step() }
	for i := range 9 {
		bad(i)
	}
	if got := len(b.files("bad")); got != 18 {
		t.Errorf("%d files are set aside, want 9 and their reasons", got)
	}
	before := len(b.messageIDs())
	for i := range 30 {
		bad(9 + i)
		b.pass(30 * time.Second)
	}
	if got := len(b.files("bad/unknown")); got != 60 || len(b.files("bad")) != 18 {
		t.Errorf("%d files are in the folder of the flood, want 30 and their reasons", got)
	}
	if got := len(b.messageIDs()) - before; got != 1 {
		t.Errorf("the flood has %d messages, want 1", got)
	}
	b.pass(time.Hour)
	bad(50)
	if got := len(b.files("bad")); got != 20 {
		t.Errorf("an hour later: %d files, want 20", got)
	}
}

// A file that can neither be read nor set aside keeps no other waiting.
func TestAFileThatCannotBeDealtWithKeepsNoOtherWaiting(t *testing.T) {
	b := newBench(t)
	if err := os.Remove(filepath.Join(b.cfg.Box, "bad")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.cfg.Box, "bad"), nil, 0o600); err != nil { // no folder can be there
		t.Fatal(err)
	}
	name := b.drop("BgbAAAAAAAA.BOS", []byte("bad"))
	b.load(full(1, on(1, 8, 1, 0)))
	b.want("the other one is loaded", 1, "online 1 8.1 signin")
	for range 20 {
		b.step()
	}
	if got := b.messageIDs(); len(got) != 1 {
		t.Errorf("messages %v, want one of it", got)
	}
	if err := os.Remove(filepath.Join(b.cfg.Box, "bad")); err != nil {
		t.Fatal(err)
	}
	b.step()
	if got := b.files("bad"); !slices.Contains(got, name) || len(b.files(".")) > 0 {
		t.Errorf("set aside %v", got)
	}
}
