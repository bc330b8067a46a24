package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"statewire/smx"
	"statewire/store/storetest"
)

// chaosTime is how long the traffic of TestChaosConservesEveryMessage lasts at least; checks come on top.
const chaosTime = 10 * time.Second

// longEnv is how many times as much the tests kill, cut and send that go on for a while.
const longEnv = "STATEWIRE_TEST_LONG"

// times is the value of longEnv, 1 without.
func times(t testing.TB) int {
	t.Helper()
	if text := os.Getenv(longEnv); text != "" {
		return int(number(t, text))
	}
	return 1
}

// books are what the clients of a chaos run know in the end.
type books struct {
	mu       sync.Mutex
	stored   map[key]bool   // Guarded by mu, like the others. Different good messages whose report was acknowledged
	bad      map[key]bool   // different messages that cannot be understood
	receipts map[string]int // messages under each receipt, bad ones included
	resent   int            // messages acknowledged again, under another receipt
	attempts int            // posts without an answer, or with a refusal
}

// Clients that resend, bad records, bad files, and kills of the whole site at any moment: in the end, and at every
// restart, what arrived = stored + duplicate + set aside + waiting, all of it read from tables and files alone.
func TestChaosConservesEveryMessage(t *testing.T) {
	t.Parallel()
	n := storetest.Seed(t)
	chance := rand.New(rand.NewPCG(n, 1))
	data := dataDir(t)
	b := &books{stored: map[key]bool{}, bad: map[key]bool{}, receipts: map[string]int{}}
	var now running
	now.set(t, serve(t, data))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	long := time.Now().Add(chaosTime * time.Duration(times(t)))
	latest := long.Add(2 * patience) // a slow machine needs more time until enough has happened
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() { b.client(ctx, t, &now, c, rand.New(rand.NewPCG(n, uint64(100+c)))) })
	}
	kills, dropped := 0, 0
	for time.Now().Before(long) || (kills < 3 || !b.enough()) && time.Now().Before(latest) {
		time.Sleep(time.Duration(200+chance.IntN(4000)) * time.Millisecond)
		now.current().kill()
		kills++
		if chance.IntN(3) == 0 {
			dropped++
			drop(t, data, fmt.Sprintf("broken-%d.SMX", dropped), []byte("<Report><ReportHeader>"))
		}
		b.balance(t, data, false)
		now.set(t, serve(t, data))
	}
	cancel()
	clients.Wait()
	last := now.current()
	last.awaitReady()
	last.awaitDrained()
	eventually(patience, func() bool { return len(corrupt(t, data)) >= dropped })
	b.balance(t, data, true)
	t.Logf("%d kills, %d attempts without an acknowledgement", kills, b.attempts)
	if files := ask(t, data, "SELECT uniqExact(name) FROM bad_files"); int(files) != dropped {
		t.Errorf("the store lists %d bad files, want %d", files, dropped)
	}
	if kills < 3 || !b.enough() {
		t.Errorf("%d kills, %d messages, %d bad ones and %d resent: too little happened", kills, len(b.stored), len(b.bad),
			b.resent)
	}
}

// enough says whether something of each kind happened.
func (b *books) enough() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.stored) >= 100 && len(b.bad) > 0 && b.resent > 0
}

// running is the process that serves just now.
type running struct {
	mu sync.Mutex
	s  *server // Guarded by mu, like to.
	to *poster
}

func (r *running) set(t *testing.T, s *server) {
	t.Helper()
	to := s.poster()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s, r.to = s, to
}

func (r *running) current() *server {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.s
}

func (r *running) post(body []byte) answer {
	r.mu.Lock()
	to := r.to
	r.mu.Unlock()
	return to.post(context.Background(), body)
}

// client reports until ctx is done, and sends two of a hundred reports again. As real clients do, it sends the same
// bytes until they are acknowledged.
func (b *books) client(ctx context.Context, t *testing.T, to *running, number int, chance *rand.Rand) {
	for serial := uint64(1); ctx.Err() == nil; serial += 3 {
		r, keys := report(number, int8(chance.IntN(11))-1, serial, serial+2)
		body, bad := smx.AppendReport(nil, r), 0
		if chance.IntN(10) == 0 {
			good := fmt.Sprintf("SerialNumber=%q", fmt.Sprint(serial+1))
			body = bytes.Replace(body, []byte(good), []byte(`SerialNumber="0x`+good[len(`SerialNumber="`):]), 1)
			bad = 1
		}
		if !b.deliver(t, to, body, len(keys)) {
			return
		}
		b.note(keys, bad)
		if chance.IntN(50) == 0 {
			if !b.deliver(t, to, body, len(keys)) {
				return
			}
			b.mu.Lock()
			b.resent += len(keys) - bad
			b.mu.Unlock()
		}
	}
}

// note keeps a report's messages; a bad one is the second.
func (b *books) note(keys []key, bad int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, k := range keys {
		if bad > 0 && i == 1 {
			b.bad[k] = true
		} else {
			b.stored[k] = true
		}
	}
}

// deliver posts the same bytes until they are acknowledged.
func (b *books) deliver(t *testing.T, to *running, body []byte, messages int) bool {
	return eventually(patience, func() bool {
		a := to.post(body)
		b.mu.Lock()
		defer b.mu.Unlock()
		switch {
		case a.status == http.StatusAccepted:
			b.receipts[a.receipt] += messages
			return true
		case a.status != 0 && a.status != http.StatusServiceUnavailable:
			t.Errorf("answer %+v", a)
			return true
		}
		b.attempts++
		return false
	})
}

// balance reads what is durable and holds it against the clients' books. In the end nothing may wait.
func (b *books) balance(t *testing.T, data string, end bool) {
	t.Helper()
	b.mu.Lock()
	acknowledged := maps.Clone(b.receipts)
	b.mu.Unlock()
	// Messages are stored first and their reports then. A file whose reports are not stored is waiting, whatever else of
	// it is.
	arrived, stored, setAside, counted := map[string]uint64{}, uint64(0), uint64(0), uint64(0)
	for _, row := range query(t, data, `
		SELECT 'report' AS what, receipt, sum(messages) AS n, sum(set_aside) AS aside FROM client_reports FINAL
		GROUP BY receipt
		UNION ALL SELECT 'stored', '', count(), 0 FROM state_messages FINAL
		WHERE source_file IN (SELECT source_file FROM client_reports)
		UNION ALL SELECT 'set aside', '', count(), 0 FROM set_aside_records FINAL`) {
		switch n := number(t, row[2]); row[0] {
		case "report":
			arrived[row[1]] = n
			counted += number(t, row[3])
		case "stored":
			stored = n
		case "set aside":
			setAside = n
		}
	}
	loaded := uint64(0)
	for _, n := range arrived {
		loaded += n
	}
	if setAside < counted {
		t.Errorf("%d records are set aside, the reports that were loaded have %d", setAside, counted)
	}
	waits := uint64(0)
	for receipt, n := range unread(t, data) {
		if _, both := arrived[receipt]; !both { // a kill between insert and delete leaves both; it counts once
			arrived[receipt] = n
			waits += n
		}
	}
	for receipt, n := range acknowledged {
		if arrived[receipt] != uint64(n) {
			t.Errorf("receipt %s: %d messages acknowledged, %d loaded or waiting", receipt, n, arrived[receipt])
		}
	}
	if loaded < stored+counted {
		t.Errorf("loaded %d < stored %d + set aside %d", loaded, stored, counted)
	}
	duplicates := loaded - stored - counted
	t.Logf("arrived %d = stored %d + duplicate %d + set aside %d + waiting %d", loaded+waits, stored, duplicates, counted,
		waits)
	if !end {
		return
	}
	if waits != 0 || setAside != counted {
		t.Errorf("%d messages wait, %d of %d bad records are listed", waits, setAside, counted)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if stored != uint64(len(b.stored)) {
		t.Errorf("%d messages are stored, the clients sent %d different ones", stored, len(b.stored))
	}
	if setAside < uint64(len(b.bad)) {
		t.Errorf("%d records are set aside, the clients sent %d different bad ones", setAside, len(b.bad))
	}
	if duplicates < uint64(b.resent) {
		t.Errorf("%d duplicates are counted, the clients sent %d", duplicates, b.resent)
	}
}

// unread is the messages under each receipt in the files that wait, bad records included.
func unread(t *testing.T, data string) map[string]uint64 {
	t.Helper()
	found := map[string]uint64{}
	decoder := smx.NewDecoder()
	for _, path := range waiting(t, data) {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue // loaded meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		var batch smx.Batch
		if err := decoder.Decode(text, &batch); err != nil {
			continue // one that a test dropped
		}
		for _, r := range batch.Reports {
			found[r.Receipt] += uint64(r.Messages + r.BadRecords)
		}
	}
	return found
}

func drop(t *testing.T, data, name string, text []byte) {
	t.Helper()
	beside := filepath.Join(data, name+".part") // a loader takes what it sees, half written or not
	if err := os.WriteFile(beside, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, filepath.Join(boxOf(data), "incoming", name)); err != nil {
		t.Fatal(err)
	}
}
