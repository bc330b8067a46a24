package ingest

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/inbox"
)

// asideFile is one in corrupt, set aside a number of minutes after epoch.
func asideFile(name, client, code string, disk int64, minute int) inbox.BadFile {
	return inbox.BadFile{Name: name, Disk: disk, Reason: inbox.Reason{Client: client, Code: code,
		Time: epoch.Add(time.Duration(minute) * time.Minute)}}
}

func TestTheLimitTakesFirstFromWhoHoldsMostAndKeepsOneOfEachKind(t *testing.T) {
	files := []inbox.BadFile{
		asideFile("a1", "a", "x", 40, 1), asideFile("a2", "a", "x", 40, 2), asideFile("a3", "a", "x", 40, 3), asideFile("a4",
			"a", "y", 40, 0),
		asideFile("b1", "b", "x", 30, 1), asideFile("b2", "b", "x", 30, 9), asideFile("f1", "", "xml", 10, 5), asideFile("f2",
			"", "xml", 10, 4),
	}
	for _, tt := range []struct {
		bytes int64
		want  string
	}{
		{0, ""}, {1, "a1"}, {40, "a1"}, {41, "a1 a2"}, {81, "a1 a2 b1"}, {111, "a1 a2 b1 f2"}, {1000, "a1 a2 b1 f2"},
	} {
		if have := namesOf(tooMuchOf(files, nil, tt.bytes)); have != tt.want {
			t.Errorf("to free %d bytes it takes %q, want %q", tt.bytes, have, tt.want)
		}
	}
	even := []inbox.BadFile{
		asideFile("a1", "a", "x", 40, 1), asideFile("a2", "a", "x", 40, 2), asideFile("a3", "a", "x", 40, 3),
		asideFile("c1", "c", "x", 50, 4), asideFile("c2", "c", "x", 50, 5),
	}
	if have := namesOf(tooMuchOf(even, nil, 41)); have != "a1 c1" { // after a1 the client c holds most
		t.Errorf("of two clients it takes %q, want a1 c1", have)
	}
	if have := namesOf(tooOldOf(files, epoch.Add(3*time.Minute))); have != "a1 b1 a2" {
		t.Errorf("too old are %q, want a1 b1 a2", have)
	}
	if have := namesOf(tooMuchOf(files, tooOldOf(files, epoch.Add(2*time.Minute)), 71)); have != "a1 b1 a2" {
		t.Errorf("with a1 and b1 gone for their age it takes %q, want a2 as well", have)
	}
}

func namesOf(files []inbox.BadFile) string {
	var all []string
	for _, b := range files {
		all = append(all, b.Name)
	}
	return strings.Join(all, " ")
}

func TestCorruptStaysWithinItsLimitAndTheAccountBalances(t *testing.T) {
	s := newSite(t)
	s.cfg.CorruptLimit, s.cfg.SetAsidePerHour = 1<<20, 0
	pad := `<Param>` + strings.Repeat("x", 60_000) + `</Param>`
	s.drop("other.SMX", badly(2, 1, 2, 1))
	s.drain()
	for n := range 6 {
		doc := string(badly(1, uint64(10*n+1), uint64(10*n+5), uint64(10*n+1)))
		s.drop(fmt.Sprintf("%d.SMX", n), []byte(strings.Replace(doc, "<Param>", strings.Repeat(pad, 5)+"<Param>", 1)))
		s.drain()
	}
	left := s.left("corrupt")
	if !slices.Contains(left, "other.SMX.1.SMX") || !slices.Contains(left, "5.SMX.1.SMX") ||
		slices.Contains(left, "0.SMX.1.SMX") {
		t.Errorf("corrupt holds %q", left)
	}
	gone := 7 - len(left)/2
	s.expectAccount(fmt.Sprintf("30,24,0,%d,%d", 6-gone, gone), 1)
	s.expectAccount("2,1,0,1,0", 2)
	s.expect("SELECT DISTINCT how, by FROM set_aside_ends", "'limit','ingest.corrupt_limit'")
}

func TestBeyondTheHourlyBoundBadRecordsAreOnlyCounted(t *testing.T) {
	s := newSite(t)
	s.cfg.SetAsidePerHour = 2
	at := epoch
	s.deps.Clock = func() time.Time { return at }
	l := s.loader()
	for n, hour := range []int{0, 0, 0, 1} {
		at = epoch.Add(time.Duration(hour) * time.Hour)
		s.drop(fmt.Sprintf("%d.SMX", n), badly(1, uint64(10*n+1), uint64(10*n+3), uint64(10*n+1), uint64(10*n+2)))
		s.drop(fmt.Sprintf("other-%d.SMX", n), badly(2, uint64(n+1), uint64(n+1), uint64(n+1)))
		if _, err := l.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.expectAccount("12,4,0,4,4", 1)
	s.expectAccount("4,0,0,3,1", 2)
	s.expect("SELECT DISTINCT kept_as FROM set_aside_records WHERE client_id = '"+client(1).UUID()+"'", "'0.SMX.1.SMX'",
		"'3.SMX.1.SMX'")
	// they count as received
	s.expect("SELECT sum(last_serial - first_serial + 1) FROM serial_ranges FINAL WHERE client_id = '"+client(1).UUID()+
		"'", "12")
	if n := counter(t, l.metrics.dropped.WithLabelValues("hourly_bound")); n != 5 {
		t.Errorf("%v records are counted as dropped, want 5", n)
	}
}

// Each file takes blocks on the disk, however small it is, and one loader looks at corrupt again only when it has
// grown.
func TestManySmallBadFilesStayWithinTheLimit(t *testing.T) {
	s := newSite(t)
	l := s.loader()
	l.cfg.CorruptLimit = 64 << 10
	for n := range 12 {
		if n == 1 { // corrupt has been looked at by now
			drainWith(t, l)
		}
		s.put(inbox.Normal, []byte(fmt.Sprintf("<no report %d", n)))
	}
	drainWith(t, l)
	if left := len(s.left("corrupt")) / 2; left > 8 || left < 6 {
		t.Errorf("corrupt holds %d files of 8 KiB with a limit of 64 KiB", left)
	}
	if n := counter(t, l.metrics.dropped.WithLabelValues("limit")); n != 0 {
		t.Errorf("%v records are counted as dropped; the files had none", n)
	}
}

func TestWhatTheStoreDoesNotListStaysInCorruptAndIsNotCounted(t *testing.T) {
	s := newSite(t)
	s.cfg.CorruptLimit, s.cfg.SetAsidePerHour = 1<<20, 0
	pad := strings.Repeat(`<Param>`+strings.Repeat("x", 60_000)+`</Param>`, 5)
	for n := range 4 {
		doc := string(badly(1, uint64(10*n+1), uint64(10*n+5), uint64(10*n+1)))
		s.drop(fmt.Sprintf("%d.SMX", n), []byte(strings.Replace(doc, "<Param>", pad+"<Param>", 1)))
	}
	s.faulty(func(step string, _ []string) error {
		if step == "send set_aside_ends" {
			return syscall.ECONNRESET
		}
		return nil
	})
	l := s.quick()
	_, _ = l.Drain(t.Context())
	if left, n := len(s.left("corrupt")), counter(t, l.metrics.dropped.WithLabelValues("limit")); left != 8 || n != 0 {
		t.Errorf("corrupt holds %d files, want 8; %v records are counted as dropped, want 0", left, n)
	}
}

func drainWith(t *testing.T, l *Loader) {
	t.Helper()
	if _, err := l.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A site where nothing arrives any more forgets what is too old all the same.
func TestAnIdleLoaderDropsWhatIsTooOld(t *testing.T) {
	s := newSite(t)
	s.cfg.CorruptAge = time.Hour
	for n, name := range []string{"a.SMX", "b.SMX"} {
		s.drop(name, badly(1, uint64(10*n+1), uint64(10*n+2), uint64(10*n+1)))
		s.drain()
	}
	l := s.loader()
	l.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	stop := s.running(l)
	for end := time.Now().Add(time.Minute); len(s.left("corrupt")) > 2 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	if have := fmt.Sprint(s.left("corrupt")); have != "[b.SMX.1.SMX b.SMX.1.SMX.reason.json]" {
		t.Errorf("corrupt holds %s", have)
	}
	s.expectAccount("4,2,0,1,1", 1)
}
