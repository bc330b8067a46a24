package resync

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/collections"
	"statewire/resync/gaps"
	"statewire/smx"
)

// report stores that a report of a client came, with serials first to last.
func (b *bench) report(c smx.ClientID, first, last uint64) {
	b.t.Helper()
	err := b.db.Insert(b.t.Context(), `INSERT INTO client_reports (client_id, received_time, source_file, report_index)`,
		[]uuid.UUID{uuid.UUID(c)}, []time.Time{b.now}, []string{b.now.String()}, []uint32{0})
	if err != nil {
		b.t.Fatal(err)
	}
	b.arrive(c, first, last)
}

func (b *bench) retire(clients ...smx.ClientID) {
	b.t.Helper()
	if _, err := b.sets.Retire(b.t.Context(), clients, collections.RetireOptions{By: "ann"}); err != nil {
		b.t.Fatal(err)
	}
}

// A retired client is missing nothing, is asked for nothing and holds no place; what was found before goes on when it
// comes back.
func TestARetiredClientIsNotAsked(t *testing.T) {
	cfg := soon()
	cfg.MinMissingMessageAge = time.Hour
	b := newBench(t, cfg)
	b.check(CheckOptions{})
	gone, other := client(1), client(2)
	for _, c := range []smx.ClientID{gone, other} {
		b.report(c, 1, 3)
		b.report(c, 6, 9)
		b.poll(c, 9)
	}
	b.equal("before", b.check(CheckOptions{}).Gaps.Messages, 4)
	first := b.now
	b.wait(2 * time.Hour)
	b.retire(gone)
	b.poll(gone, 12)
	b.poll(gone, 5_000_000)
	if _, err := b.Request(t.Context(), Target{All: true}, RequestOptions{By: "ann", DryRun: true}); err != nil {
		t.Fatal(err)
	}
	for _, o := range []CheckOptions{{DryRun: true}, {}, {Full: true}} {
		r := b.check(o)
		b.equal("gaps", []any{r.Gaps.Rows, r.Gaps.Clients, r.Gaps.Ranges, r.Gaps.Messages, r.Gaps.Aside},
			[]any{[]gaps.Gap{gap(other, 4, 5, first, false)}, 1, 1, 2, 0})
		if !o.Full {
			b.equal("asked", []any{r.IssuedTotal, issuedTo(r)[other.UUID()].Number}, []any{1, 1})
		}
	}
	accepted, err := b.Accept(t.Context(), Target{All: true}, AcceptOptions{By: "ann", DryRun: true})
	b.equal("all are the others", []any{accepted.Clients, err}, []any{1, nil})

	b.wait(time.Minute)
	b.report(gone, 13, 13)
	r := b.check(CheckOptions{})
	b.equal("back", r.Gaps.Rows, []gaps.Gap{gap(gone, 4, 5, first, false), gap(other, 4, 5, first, false),
		gap(gone, 10, 12, b.now, false)})
	b.equal("asked at once for what was found before", issuedTo(r)[gone.UUID()].Reason, gaps.Missing)
}

// A person who asks a retired client by its name means it; a wish from before it was retired waits for nobody.
func TestAWishForARetiredClientWaits(t *testing.T) {
	cfg := soon()
	cfg.MaxOutstanding = 1
	b := newBench(t, cfg)
	for n := range 2 {
		b.report(client(n), 1, 3)
	}
	r, err := b.Request(t.Context(), Target{Clients: []smx.ClientID{client(0), client(1)}},
		RequestOptions{By: "ann", Rows: -1})
	if err != nil || len(r.Issued) != 1 {
		t.Fatal(r, err)
	}
	asked, gone := client(0), client(1)
	if r.Issued[0].Client == gone.UUID() {
		asked, gone = gone, asked
	}
	b.retire(gone)
	b.wait(time.Minute)
	b.complete(asked, 4, 4)
	b.equal("not asked", b.check(CheckOptions{}).IssuedTotal, 0)
	b.wait(time.Minute)
	b.report(gone, 4, 4)
	b.equal("asked when it is back", issuedTo(b.check(CheckOptions{}))[gone.UUID()].By, "ann")
}

// Silent clients are retired where the checks run, once the site has run for so long that they had time to be heard.
func TestSilentClientsAreRetiredHourly(t *testing.T) {
	b := newBench(t, soon())
	b.sets.Configure(collections.Config{RetireAfter: 48 * time.Hour})
	for n, ago := range []time.Duration{49 * time.Hour, 47 * time.Hour} {
		at := b.now.Add(-ago)
		err := b.db.Insert(t.Context(), `INSERT INTO clients_seen (client_id, first_report_time, last_report_time,
			loaded_time)`, []uuid.UUID{uuid.UUID(client(n))}, []time.Time{at}, []time.Time{at}, []time.Time{at})
		if err != nil {
			t.Fatal(err)
		}
	}
	step := func() uint64 {
		t.Helper()
		if err := b.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		return b.count("SELECT count() FROM retired_clients WHERE retired_by = 'site'")
	}
	got := []uint64{step()}
	for _, d := range []time.Duration{retireWait - time.Minute, time.Minute, time.Hour} {
		b.wait(d)
		got = append(got, step())
	}
	b.equal("retired", got, []uint64{0, 0, 0, 2})
	if b.now.Sub(today) < retireWait {
		t.Error("the site did not run for long enough")
	}
}
