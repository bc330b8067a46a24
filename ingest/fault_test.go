package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"statewire/inbox"
)

// faulty is a database that asks a test before and after each of its steps:
//
//	query, queried             a look-up
//	send TABLE, sent TABLE     rows go out, have been stored
//
// An error takes the place of the step's outcome.
type faulty struct {
	database

	mu   sync.Mutex
	step func(step string, texts []string) error // texts are those of the insert's columns. Guarded by mu.
}

func (f *faulty) at(step string, texts []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.step(step, texts)
}

func (f *faulty) Conn() driver.Conn { return faultyConn{f.database.Conn(), f} }

type faultyConn struct {
	driver.Conn
	faults *faulty
}

func (c faultyConn) Query(ctx context.Context, sql string, args ...any) (driver.Rows, error) {
	if err := c.faults.at("query", nil); err != nil {
		return nil, err
	}
	rows, err := c.Conn.Query(ctx, sql, args...)
	if err == nil {
		if err := c.faults.at("queried", nil); err != nil {
			rows.Close()
			return nil, err
		}
	}
	return rows, err
}

func (f *faulty) InsertPieces(ctx context.Context, statement string, pieces [][]any) error {
	var texts []string
	for _, columns := range pieces {
		for _, values := range columns {
			if values, ok := values.([]string); ok {
				texts = append(texts, values...)
			}
		}
	}
	table := strings.Fields(statement)[2]
	if err := f.at("send "+table, texts); err != nil {
		return err
	}
	if err := f.database.InsertPieces(ctx, statement, pieces); err != nil {
		return err
	}
	return f.at("sent "+table, texts)
}

func exception(code int32) error {
	return fmt.Errorf("batch: %w", &clickhouse.Exception{Code: code, Name: "TEST", Message: "made up"})
}

// away are errors of a store that will be back.
func away() map[string]error {
	all := map[string]error{"connection reset": syscall.ECONNRESET, "deadline": os.ErrDeadlineExceeded}
	for _, code := range []int32{241, 242, 243, 252, 285, 286, 319, 999} {
		all[fmt.Sprint("code ", code)] = exception(code)
	}
	return all
}

// tables are those that a batch with everything in it is stored in, in their order as far as they have one.
var tables = []string{"state_messages", "serial_ranges", "arrivals", "set_aside_records", "bad_files", "client_reports"}

// steps are the steps of storing such a batch.
func steps() (all []string) {
	all = append(all, "query", "queried")
	for _, table := range tables {
		all = append(all, "send "+table, "sent "+table)
	}
	return all
}

// everything drops files that between them fill every table, and returns what must be there in the end.
func (s *site) everything(first int) (check func()) {
	s.t.Helper()
	withBad := strings.Replace(string(bare(client(first), messages(1, 4)...)), `Type="500"`, `Type="x"`, 1)
	s.drop("records.SMX", []byte(withBad))
	s.drop("bad.SMX", []byte("<Report>"))
	twice := bare(client(first+1), append(messages(1, 2), message(0))...)
	s.drop("once.SMX", twice)
	s.drop("again.SMX", twice)
	s.put(inbox.High, relayed(s.t, epoch, bare(client(first+2), messages(4, 6)...)))
	return func() {
		s.t.Helper()
		s.expectEmpty()
		s.expect("SELECT client_id, uniqExact(serial, payload_hash) FROM state_messages GROUP BY client_id",
			"'"+client(first).UUID()+"',3", "'"+client(first+1).UUID()+"',3", "'"+client(first+2).UUID()+"',3")
		s.expect("SELECT count() FROM current_states", "9")
		s.expect("SELECT sum(messages), sum(set_aside) FROM client_reports FINAL", "13,1")
		s.expect("SELECT source_file, record_index, serial FROM set_aside_records FINAL", "'records.SMX',1,1")
		s.expect("SELECT name FROM bad_files FINAL", "'bad.SMX'")
		s.expect("SELECT first_serial, last_serial FROM serial_ranges FINAL", "1,4", "1,2", "4,6")
		s.expect("SELECT first_serial, last_serial FROM arrivals FINAL", "1,4", "1,2", "4,6")
		if have := s.left("corrupt"); !slices.Equal(have, []string{"bad.SMX", "bad.SMX.reason.json", "records.SMX.1.SMX",
			"records.SMX.1.SMX.reason.json"}) {
			s.t.Errorf("corrupt holds %q", have)
		}
	}
}

// faulty lets a function decide the fate of every step of the store from now on.
func (s *site) faulty(step func(step string, texts []string) error) {
	s.store = &faulty{database: s.store, step: step}
}

// quick makes a loader that does not wait long for a store.
func (s *site) quick() *Loader {
	l := s.loader()
	l.retryMin = time.Millisecond
	return l
}

func TestStoreThatIsAwayLosesAndDoublesNothing(t *testing.T) {
	for name, fault := range away() {
		t.Run(name+" before the rows are stored", func(t *testing.T) { storeAway(t, fault, "send state_messages") })
		t.Run(name+" after the rows were stored", func(t *testing.T) { storeAway(t, fault, "sent state_messages") })
	}
	for _, at := range steps() {
		t.Run("at "+at, func(t *testing.T) { storeAway(t, syscall.ECONNRESET, at) })
	}
}

// storeAway makes the store fail three times at a step.
func storeAway(t *testing.T, fault error, at string) {
	s := newSite(t)
	check := s.everything(1)
	waiting := len(s.left("incoming")) + len(s.left("incoming/high"))
	failures := 0
	s.faulty(func(step string, _ []string) error {
		if step != at || failures == 3 {
			return nil
		}
		failures++
		if have := len(s.left("incoming")) + len(s.left("incoming/high")); have != waiting &&
			!strings.HasSuffix(at, "bad_files") {
			t.Errorf("%d files are left while the store is away, want %d", have, waiting)
		}
		return fault
	})
	l := s.quick()
	totals, err := l.Drain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Totals{Files: 5, Messages: 13, Duplicates: 3, InvalidRecords: 1, BadFiles: 1,
		Batches: 1}); totals != want {
		t.Errorf("have %+v, want %+v", totals, want)
	}
	if n := counter(t, l.metrics.insertFails.WithLabelValues("away")); failures != 3 || n != 3 {
		t.Errorf("the store failed %d times, counted as %v, want 3", failures, n)
	}
	check()
}

func TestDrainGivesUpOnAStoreThatStaysAwayAndKeepsTheFiles(t *testing.T) {
	s := newSite(t)
	check := s.everything(1)
	healthy := s.store
	s.faulty(func(step string, _ []string) error {
		if step == "sent state_messages" { // the rows are there, and nobody knows
			return syscall.ECONNRESET
		}
		return nil
	})
	if _, err := s.quick().Drain(t.Context()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("have %v, want the store's error", err)
	}
	if have := len(s.left("incoming")); have != 4 {
		t.Errorf("%d files are left, want 4", have)
	}
	if have := s.left("corrupt"); len(have) > 0 {
		t.Errorf("corrupt holds %q, want nothing", have)
	}
	s.store = healthy
	s.drain() // the same inbox hands the files out again
	check()
}

// A site that dies in between would count bad records that nobody can look up.
func TestNoReportIsListedBeforeTheRecordsItCounts(t *testing.T) {
	s := newSite(t)
	check := s.everything(1)
	healthy := s.store
	s.faulty(func(step string, _ []string) error {
		switch step {
		case "send set_aside_records":
			return syscall.ECONNRESET
		case "send client_reports":
			t.Error("reports are stored, their bad records are not")
		}
		return nil
	})
	if _, err := s.quick().Drain(t.Context()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("have %v, want the store's error", err)
	}
	s.expect("SELECT count() FROM client_reports", "0")
	s.store = healthy
	s.drain()
	check()
}

func TestDelayWhileTheStoreIsAwayDoublesUpToAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(DefaultConfig(), Deps{})
		if err != nil {
			t.Fatal(err)
		}
		last, tries := time.Now(), 0
		err = l.insist(t.Context(), t.Context(), size{}, func(context.Context) error {
			if tries > 0 {
				most := min(time.Second<<(tries-1), time.Minute)
				if waited := time.Since(last); waited < most/2 || waited > most {
					t.Errorf("waited %v before try %d, want %v to %v", waited, tries, most/2, most)
				}
			}
			last = time.Now()
			if tries++; tries == 12 {
				return nil
			}
			return exception(241)
		})
		if err != nil || tries != 12 {
			t.Errorf("%v after %d tries", err, tries)
		}
	})
}

func TestStopAtAnyStepIsNoWorseThanACrash(t *testing.T) {
	for _, at := range steps() {
		for _, hard := range []bool{false, true} {
			t.Run(fmt.Sprintf("at %s, store gone %v", at, hard), func(t *testing.T) {
				s := newSite(t)
				check := s.everything(1)
				s.cfg.BatchDelay = time.Millisecond
				healthy := s.store
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				s.faulty(func(step string, _ []string) error {
					if step == at {
						stop()
					}
					if hard && ctx.Err() != nil {
						return syscall.ECONNRESET
					}
					return nil
				})
				if err := s.quick().Run(ctx); err != nil {
					t.Errorf("stopped with %v, want nil", err)
				}
				s.store = healthy
				s.restart()
				s.drain()
				check()
			})
		}
	}
}
