package resync

import (
	"fmt"
	"testing"
	"time"

	"statewire/internal/serials"
	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/store/storetest"
)

// foretold makes a dry run and the real check right after it, and holds all that one says against the other.
func (b *bench) foretold(what string) Result {
	b.t.Helper()
	dry, real := b.check(CheckOptions{DryRun: true}), b.check(CheckOptions{})
	plain := func(r Result) string {
		r.Took, r.DryRun, r.At = 0, false, time.Time{}
		return fmt.Sprintf("%+v", r)
	}
	if d, r := plain(dry), plain(real); d != r {
		b.t.Errorf("%s: the dry run says\n%s\nthe check\n%s", what, d, r)
	}
	return real
}

// reasons are how many clients a check asked for each reason.
func reasons(r Result) map[string]int {
	out := map[string]int{}
	for _, one := range r.Issued {
		out[one.Reason]++
	}
	return out
}

// facts are what the loader and the clients' polls leave in a bench's store. Minutes count from dryStart.
type facts struct{ *bench }

var dryStart = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return dryStart.Add(time.Duration(n) * time.Minute) }

func run(first, last uint64) serials.Run { return serials.Run{First: first, Last: last} }

func (f facts) exec(sql string, args ...any) {
	f.t.Helper()
	if err := f.db.Conn().Exec(f.db.InsertContext(f.t.Context()), fmt.Sprintf(sql, args...)); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

func (f facts) arrived(n int, runs ...serials.Run) {
	f.t.Helper()
	for _, r := range runs {
		f.arrive(client(n), r.First, r.Last)
	}
}

func (f facts) claim(n int, serial uint64) {
	f.t.Helper()
	f.exec("INSERT INTO client_claims (client_id, last_serial, claimed_time) VALUES ('%s', %d, now64(6))",
		client(n).UUID(), serial)
}

// polled notes that a client says that it holds one state, and has sent everything.
func (f facts) polled(n int, lastSerial uint64, minutes int, hash uint64) {
	f.t.Helper()
	f.exec("INSERT INTO client_caches (client_id, last_serial, states, digest, unsent, claimed_time) VALUES ('%s', "+
		"%d, 1, %d, 0, '%s')",
		client(n).UUID(), lastSerial, smx.StateDigest(0, hash), minute(minutes).Format(time.DateTime))
}

// message stores a message without noting that its serial arrived.
func (f facts) message(n int, serial uint64, topic int, hash uint64, received time.Time, params string) {
	f.t.Helper()
	f.exec(`INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, state_id,
		params, payload_hash, message_us) VALUES ('%s', %d, '%s', %d, 't%d', 2, [%s], %d, %d)`,
		client(n).UUID(), serial, received.UTC().Format("2006-01-02 15:04:05.000000"), topic, hash%7, params, hash,
		hash%1_000_000)
}

// completed stores a resync complete message that arrived.
func (f facts) completed(n int, serial, hash uint64, minutes int, params string) {
	f.t.Helper()
	f.message(n, serial, 700, hash, minute(minutes), params)
	f.arrived(n, run(serial, serial))
}

// A site lives through everything that decides whom a check asks; before each check a dry run says what it will do.
func TestADryRunSaysWhatTheCheckDoes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxOutstanding = 6
	b := newBenchOn(t, storetest.New(t), cfg, minute(60))
	s := facts{b}
	clash := func(n int, serial uint64, at int) { // another message under the serial
		s.message(n, serial, 500, uint64(100*n+at), minute(at), "")
	}
	for _, n := range []int{1, 2, 3} {
		s.arrived(n, run(5, 9))
	}
	s.arrived(9, run(1, 1), run(3, 3))
	s.arrived(20, run(1, 1), run(serials.Jump+10, serials.Jump+10))
	s.arrived(21, run(1, 1), run(3, 3), run(serials.Jump+10, serials.Jump+10))
	r := b.foretold("young gaps")
	b.equal("young gaps are held", []any{r.IssuedTotal, r.HeldTotals, r.Gaps.Ranges, r.Gaps.Jumps},
		[]any{0, map[string]int{heldAge: 6}, 5, 2})

	b.wait(49 * time.Hour)
	for _, n := range []int{4, 5, 6, 7, 12} {
		clash(n, 1, 1)
		s.arrived(n, run(1, 1), run(1, 1))
	}
	clash(4, 1, 2)
	clash(5, 1, 2)
	clash(5, 1, 3) // twice is one conflict to see
	clash(6, 1, 2)
	s.completed(6, 2, 99, 5, "") // settled before a check saw it
	s.polled(7, 1, 4, 1)         // holds another state
	// the same, and serials that are missing: not compared
	s.polled(12, 1, 4, 1)
	s.claim(12, 4)                                                   //
	s.polled(9, 3, 4, 1)                                             // was not compared while its gap was open
	s.arrived(9, run(2, 2))                                          //
	s.arrived(8, run(2, 2))                                          // a young gap
	s.completed(20, serials.Jump+11, 7, 100, fmt.Sprintf("'%d'", 1)) // it answered, and the jump stays
	b.unread = gaps.Unread{Clients: map[smx.ClientID]struct{}{client(3): {}}}
	if _, err := b.Request(t.Context(), Target{Clients: []smx.ClientID{client(3), client(8)}},
		RequestOptions{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	r = b.foretold("all reasons, and the bound")
	b.equal("asked", []any{reasons(r), r.Gaps.Conflicts, r.Gaps.Differs},
		[]any{map[string]int{gaps.Conflict: 2, gaps.Differs: 2, gaps.Missing: 1}, 2, 2})
	b.equal("held", r.HeldTotals, map[string]int{heldUnread: 1, heldBound: 2, heldAge: 1, heldInterval: 1})
	r = b.foretold("nothing new")
	b.equal("nobody", []any{r.IssuedTotal, r.Gaps.Opened, r.Gaps.Closed}, []any{0, 0, 0})

	b.wait(24 * time.Hour)
	b.unread = gaps.Unread{}
	later := int(b.now.Sub(dryStart) / time.Minute)
	s.completed(4, 9, 77, later, "'2'") // answered, and went back again after that
	clash(4, 1, later+1)
	clash(5, 1, later+1) // a conflict that is open already
	s.message(7, 1, 500, 1, minute(later), "")
	r = b.foretold("after an answer")
	b.equal("conflicts", r.Gaps.Conflicts, 3)
	s.polled(7, 1, later+2, 701)
	b.wait(cfg.MergeInterval)
	r = b.foretold("after the interval")
	b.unread = gaps.Unread{Everybody: true, Reason: "a file that names nobody"}
	b.wait(cfg.MergeInterval)
	s.arrived(30, run(4, 4))
	r = b.foretold("nobody may be asked")
	b.equal("asked while it is unknown whose reports wait", []any{r.IssuedTotal, r.HeldTotals[heldUnknown] > 0},
		[]any{0, true})
}
