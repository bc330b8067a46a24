package relay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

// client is a client id that differs by n.
func client(n int) string { return fmt.Sprintf("GUID:00000000-0000-0000-0000-%012d", n) }

// sendAll sends one report from each of n clients at once, each on its own connection, and returns the answers'
// statuses.
func sendAll(t *testing.T, s *site, n int, body func(i int) string) []int {
	t.Helper()
	statuses := make([]int, n)
	conns := make([]io.ReadWriter, n)
	for i := range n {
		conns[i] = s.dial(t)
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			io.WriteString(conns[i], post(body(i)))
			resp, err := http.ReadResponse(bufioReader(conns[i]), nil)
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			statuses[i] = resp.StatusCode
		})
	}
	wg.Wait()
	return statuses
}

func TestReportsThatArriveTogetherShareAFile(t *testing.T) {
	in := newMemoryInbox()
	first, goOn := make(chan struct{}, 1), make(chan struct{})
	in.put = func(inbox.Lane, []byte) error {
		select {
		case first <- struct{}{}:
			<-goOn
		default:
		}
		return nil
	}
	s := start(t, testConfig(), Deps{Inbox: in})
	const n = 40
	done := make(chan []int)
	go func() { done <- sendAll(t, s, n, func(i int) string { return report(client(i), 1+i%3) }) }()
	eventually(t, "all have arrived", func() bool { return s.relay.committer.held() == n })
	close(goOn)
	for i, status := range <-done {
		if status != http.StatusAccepted {
			t.Errorf("client %d: %d", i, status)
		}
	}
	if in.count() > 3 {
		t.Errorf("%d reports lie in %d files", n, in.count())
	}
	bytes := 0
	for _, file := range in.files {
		bytes += len(file.data)
	}
	for name, want := range map[string]int{"statewire_relay_commit_reports": n, "statewire_relay_commit_bytes": bytes} {
		if files, sum := s.histogram(t, name); files != uint64(in.count()) || sum != float64(want) {
			t.Errorf("%s has %v in %d files, want %d in %d", name, sum, files, want, in.count())
		}
	}
	checkStored(t, s, in, n)
}

// held is how many reports wait or are being written.
func (c *committer) held() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) + len(c.writer.inHand)
}

// checkStored decodes every file: each client's report is there once, as often as the relay counted.
func checkStored(t *testing.T, s *site, in *memoryInbox, n int) {
	t.Helper()
	var batch smx.Batch
	for i, file := range in.files {
		if err := smx.NewDecoder().Decode(file.data, &batch); err != nil {
			t.Fatalf("file %d: %v", i, err)
		}
		index, err := smx.ReadIndex(bytes.NewReader(file.data))
		if err != nil || !index.Known {
			t.Errorf("file %d names no clients: %v", i, err)
		}
	}
	seen := map[string]bool{}
	for _, r := range batch.Reports {
		if seen[r.Client.String()] {
			t.Errorf("client %v is there twice", r.Client)
		}
		seen[r.Client.String()] = true
		if r.Receipt == "" || r.Received == 0 {
			t.Errorf("client %v has no receipt or time", r.Client)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d reports stored", len(seen), n)
	}
	if got := s.metric(t, "statewire_relay_reports_total", "accepted"); got != float64(n) {
		t.Errorf("%v reports counted", got)
	}
	if got := s.metric(t, "statewire_relay_messages_total", ""); got != float64(batch.Len()) {
		t.Errorf("%v messages counted, %d stored", got, batch.Len())
	}
}

func TestPriorityChoosesTheLane(t *testing.T) {
	in := newMemoryInbox()
	s := start(t, testConfig(), Deps{Inbox: in})
	var got []string
	for _, priority := range []string{"", "0", "4", "5", "6", "10"} {
		machine := ""
		if priority != "" {
			machine = "<Priority>" + priority + "</Priority>"
		}
		if resp, body := s.raw(t, post(report(testClient, 1, machine))); resp.StatusCode != http.StatusAccepted {
			t.Fatal(body)
		}
		got = append(got, in.files[len(in.files)-1].lane.String())
	}
	if want := []string{"normal", "high", "high", "normal", "low", "low"}; !slices.Equal(got, want) {
		t.Errorf("lanes %v, not %v", got, want)
	}
}

func TestOneFilePerLaneWithinItsSize(t *testing.T) {
	d := func(lane inbox.Lane, size int) *delivery {
		return &delivery{lane: lane, report: smx.Accepted{Body: make([]byte, size)}}
	}
	h, n, l := inbox.High, inbox.Normal, inbox.Low
	for _, tc := range []struct {
		name string
		in   []*delivery
		want []string // a file each: its lane, and the sizes of its reports
	}{
		{"one of each lane, the high one first", []*delivery{d(l, 1), d(n, 2), d(h, 3)},
			[]string{"high 3", "normal 2", "low 1"}},
		{"lanes are sorted, not mixed, each as it came", []*delivery{d(n, 1), d(h, 2), d(n, 3), d(l, 4), d(h, 5), d(n, 6)},
			[]string{"high 2 5", "normal 1 3 6", "low 4"}},
		{"a file may be exactly full", []*delivery{d(n, 60), d(n, 40), d(n, 1)}, []string{"normal 60 40", "normal 1"}},
		{"and no more", []*delivery{d(n, 60), d(n, 41), d(n, 1)}, []string{"normal 60", "normal 41 1"}},
		{"a report larger than a file has one to itself", []*delivery{d(n, 500), d(n, 501)},
			[]string{"normal 500", "normal 501"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &writer{committer: &committer{maxBytes: 100, waiting: tc.in}}
			var got []string
			for batch := w.take(); len(batch) > 0; {
				k := w.fileLen(batch)
				file := batch[0].lane.String()
				for _, d := range batch[:k] {
					file += fmt.Sprint(" ", len(d.report.Body))
				}
				got, batch = append(got, file), batch[k:]
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("files of %v, not %v", got, tc.want)
			}
		})
	}
}

// TestNoByteOfTheAnswerBeforePutReturns is the rule of the product, in small; order_linux_test.go has it on real system
// calls.
func TestNoByteOfTheAnswerBeforePutReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newMemoryInbox()
		goOn := make(chan struct{})
		in.put = func(inbox.Lane, []byte) error { <-goOn; return nil }
		s, dial := startPiped(t, testConfig(), Deps{Inbox: in})
		c := s.shake(t, dial())
		io.WriteString(c, post(report(testClient, 1)))
		var said []byte
		go func() {
			for buf := make([]byte, 1024); ; {
				n, err := c.Read(buf)
				said = append(said, buf[:n]...)
				if err != nil {
					return
				}
			}
		}()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(said) > 0 {
			t.Errorf("said %q before the report was durable", said)
		}
		close(goOn)
		synctest.Wait()
		if !bytes.HasPrefix(said, []byte("HTTP/1.1 202")) {
			t.Errorf("said %q", said)
		}
		s.stop()
		c.Close()
	})
}

// TestAFailedCommitIsNeverAcknowledged: every kind of failure is a 503, nothing is taken until the inbox is ready
// again, and then all goes on by itself.
func TestAFailedCommitIsNeverAcknowledged(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		code string
	}{
		{"C5.83 disk full", fmt.Errorf("write: %w: %w", inbox.ErrDiskFull, syscall.ENOSPC), codeDiskFull},
		{"C5.83 quota", fmt.Errorf("write: %w: %w", inbox.ErrDiskFull, syscall.EDQUOT), codeDiskFull},
		{"C5.84 sync failed", fmt.Errorf("sync: %w: %w", inbox.ErrFault, syscall.EIO), codeStorageFault},
		{"C5.84 read-only", fmt.Errorf("create: %w: %w", inbox.ErrFault, syscall.EROFS), codeStorageFault},
		{"C5.85 folder gone", fmt.Errorf("look: %w", inbox.ErrMoved), codeStorageFault},
		{"anything else", errors.New("/secret/path: strange"), codeStorageFault},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := newMemoryInbox()
				in.put = func(inbox.Lane, []byte) error { return tc.err }
				s, dial := startPiped(t, testConfig(), Deps{Inbox: in})
				in.set(func(m *memoryInbox) { m.ready = tc.err })
				refusedWith(t, s, s.shake(t, dial()), post(report(testClient, 1)), tc.code)
				in.set(func(m *memoryInbox) { m.put = nil })
				time.Sleep(10 * time.Second)
				synctest.Wait()
				refusedWith(t, s, s.shake(t, dial()), request("POST /mp/reports HTTP/1.1", "Content-Length: 1000"), tc.code)
				if s.relay.Ready() == nil || s.metric(t, "statewire_relay_ready", "") != 0 || in.count() != 0 {
					t.Errorf("ready %v, metric %v, %d files", s.relay.Ready(), s.metric(t, "statewire_relay_ready", ""), in.count())
				}
				in.set(func(m *memoryInbox) { m.ready = nil })
				time.Sleep(2 * time.Second)
				synctest.Wait()
				c := s.shake(t, dial())
				io.WriteString(c, post(report(testClient, 1)))
				if resp, body := answerOf(t, c); resp.StatusCode != http.StatusAccepted || in.count() != 1 {
					t.Errorf("after recovery %d %s, %d files", resp.StatusCode, body, in.count())
				}
			})
		})
	}
}

// refusedWith sends the request and wants a 503 that says when to come back, and nothing of the machine.
func refusedWith(t *testing.T, s *site, c io.ReadWriter, request, code string) {
	t.Helper()
	go io.WriteString(c, request)
	resp, err := http.ReadResponse(bufioReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	body := string(text)
	after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != 503 || !strings.Contains(body, `"code":"`+code+`"`) || !strings.Contains(body, `"retry":true`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if least := int(s.relay.cfg.RetryAfter.Seconds()); err != nil || after < least || after > 2*least+1 {
		t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
	}
	if strings.Contains(body, "/secret") {
		t.Errorf("tells a path: %s", body)
	}
}

// TestOneFaultyFileDoesNotHarmItsNeighbours: of two files under way only the one that failed is refused.
func TestOneFaultyFileDoesNotHarmItsNeighbours(t *testing.T) {
	in := newMemoryInbox()
	in.put = func(lane inbox.Lane, _ []byte) error {
		if lane == inbox.High {
			return inbox.ErrFault
		}
		return nil
	}
	s := start(t, testConfig(), Deps{Inbox: in})
	good, _ := s.raw(t, post(report(client(1), 1)))
	bad, _ := s.raw(t, post(report(client(2), 1, "<Priority>0</Priority>")))
	if good.StatusCode != 202 || bad.StatusCode != 503 {
		t.Errorf("%d and %d", good.StatusCode, bad.StatusCode)
	}
}
