package resync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"statewire/collections"
	"statewire/policies"
	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/smx/policy"
	"statewire/store"
	"statewire/store/storetest"
)

// client is the test's n-th machine.
func client(n int) smx.ClientID {
	return smx.ClientID{0: 0xC1, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}

// today is when the tests take place.
var today = time.Now().UTC().Truncate(time.Hour)

// bench is a service over a store of its own, with a clock and an inbox that the test sets.
type bench struct {
	*Service
	sets   *collections.Service
	told   *policies.Service
	t      *testing.T
	db     *store.Store
	now    time.Time
	unread gaps.Unread
	broken error // what listing the unread reports fails with
	reg    *prometheus.Registry
}

func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	return newBenchOn(t, storetest.New(t), cfg, today)
}

// newBenchOn starts a service on a store, as a process that starts at now does.
func newBenchOn(t *testing.T, db *store.Store, cfg Config, now time.Time) *bench {
	t.Helper()
	b := &bench{t: t, db: db, now: now, reg: prometheus.NewRegistry()}
	clock, log := func() time.Time { return b.now }, slog.New(slog.DiscardHandler)
	b.sets = collections.New(db, log, clock)
	var err error
	b.Service, err = New(cfg, Deps{
		Store: db, Collections: b.sets, Registerer: b.reg, Clock: clock,
		Unread: func(context.Context) (gaps.Unread, error) { return b.unread, b.broken },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.told = policies.New(policies.Deps{Store: db, Collections: b.sets, Resyncs: b.Service, Log: log,
		Registerer: b.reg})
	b.Follow(b.told)
	return b
}

// arrive stores that serials first to last of a client arrived.
func (b *bench) arrive(c smx.ClientID, first, last uint64) {
	b.t.Helper()
	for _, sql := range []string{`INSERT INTO serial_ranges (client_id, first_serial, last_serial)`,
		`INSERT INTO arrivals (client_id, first_serial, last_serial)`} {
		if err := b.db.Insert(b.t.Context(), sql, []uuid.UUID{uuid.UUID(c)}, []uint64{first},
			[]uint64{last}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// complete stores a resync complete message of a client, received now, under a serial that arrived with it; first is
// the first serial of its answer, 0 when it names none.
func (b *bench) complete(c smx.ClientID, first, serial uint64) {
	b.t.Helper()
	params := store.Lists{}
	if first > 0 {
		params.Append(fmt.Sprint(first))
	} else {
		params.Append()
	}
	us := uint64(b.now.UnixMicro())
	err := b.db.Insert(b.t.Context(),
		`INSERT INTO completions_data (client_id, serial, payload_hash, params, message_time,
			received_time, arrival_rank)`, []uuid.UUID{uuid.UUID(c)}, []uint64{serial}, []uint64{serial}, params, []time.Time{b.now}, []time.Time{b.now}, []uint64{^us})
	if err != nil {
		b.t.Fatal(err)
	}
	b.arrive(c, serial, serial)
}

func (b *bench) check(o CheckOptions) Result {
	b.t.Helper()
	if o.Rows == 0 {
		o.Rows = -1
	}
	r, err := b.Check(b.t.Context(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// poll asks for a client's policy, as the relay does.
func (b *bench) poll(c smx.ClientID, lastSerial uint64) policy.Document {
	b.t.Helper()
	document, _, err := b.told.Policy(b.t.Context(), smx.Poll{Client: c, LastSerial: lastSerial, Unsent: 1})
	if err != nil {
		b.t.Fatal(err)
	}
	p, err := policy.Decode(document)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// wait lets time pass.
func (b *bench) wait(d time.Duration) { b.now = b.now.Add(d) }

// count runs a query that yields a number.
func (b *bench) count(sql string) (n uint64) {
	b.t.Helper()
	if err := b.db.Conn().QueryRow(b.t.Context(), "SELECT toUInt64(("+sql+"))").Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// issuedTo are the clients that a result asked.
func issuedTo(r Result) map[string]Issued {
	out := map[string]Issued{}
	for _, one := range r.Issued {
		out[one.Client] = one
	}
	return out
}

func (b *bench) equal(what string, got, want any) {
	b.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

var errAway = errors.New("the disk is away")

func gap(c smx.ClientID, first, last uint64, detected time.Time, jump bool) gaps.Gap {
	return gaps.Gap{Client: uuid.UUID(c), First: first, Last: last, Detected: detected, Jump: jump}
}
