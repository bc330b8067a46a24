package reportstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/reports"
	"statewire/reports/explain"
)

// Site is a seed with an inbox and the shipped schedule.
type Site struct {
	*Seed
	Held map[uuid.UUID]explain.Held

	presenceVersion uint64 // of the last row
}

func NewSite(t testing.TB) *Site {
	return &Site{Seed: NewSeed(t), Held: map[uuid.UUID]explain.Held{}}
}

// Explainer sees the site's inbox and settings, at the seed's own time.
func (s *Site) Explainer(change ...func(*explain.Deps)) *explain.Explainer {
	s.T.Helper()
	deps := s.Deps()
	for _, c := range change {
		c(&deps)
	}
	return explain.New(s.Runner(func(_ *reports.Config, d *reports.Deps) { d.Now = s.Clock }), deps)
}

// Deps are what an explainer of the site is given.
func (s *Site) Deps() explain.Deps {
	holding := func(_ context.Context, client uuid.UUID) (explain.Held, error) { return s.Held[client], nil }
	// a manager that has none
	tasks := func(context.Context, uuid.UUID) (explain.Tasks, error) { return explain.Tasks{}, nil }
	return explain.Deps{Holding: holding, Schedule: shippedSchedule, Tasks: tasks, Now: s.Clock}
}

func shippedSchedule() explain.Schedule {
	return explain.Schedule{CheckInterval: Hour, MinMissingAge: 48 * Hour, MergeInterval: 72 * Hour, MaxOutstanding: 1000,
		PolicyInterval: Hour, SendInterval: 15 * time.Minute, PollInterval: 15 * time.Minute, OfflineAfter: 20 * time.Minute}
}

// Arrived says which serials of a client arrived, as the loader does.
func (s *Site) Arrived(client int, ranges ...uint64) {
	s.T.Helper()
	for i := 0; i < len(ranges); i += 2 {
		s.Exec(fmt.Sprintf("INSERT INTO serial_ranges (client_id, first_serial, last_serial) VALUES ('%s', %d, %d)",
			ID(client), ranges[i], ranges[i+1]))
	}
}

func (s *Site) Micros(ago time.Duration) string {
	return s.Now.Add(-ago).UTC().Format("2006-01-02 15:04:05.000000")
}

// Missing is a range that a gap check found so long ago.
func (s *Site) Missing(client int, first, last uint64, ago time.Duration) {
	s.T.Helper()
	s.Exec(fmt.Sprintf("INSERT INTO missing_ranges (client_id, first_serial, last_serial, detected_time, checked_time, "+
		"closed) VALUES ('%s', %d, %d, '%s', '%s', 0)",
		ID(client), first, last, s.Micros(ago), s.Micros(30*time.Minute)))
}

// Polled is a client that asked for its policy.
func (s *Site) Polled(client int, last uint64, states, unsent int, ago time.Duration) {
	s.T.Helper()
	s.Exec(fmt.Sprintf("INSERT INTO client_claims (client_id, last_serial, claimed_time) VALUES ('%s', %d, '%s')",
		ID(client), last, s.Micros(ago)))
	s.Exec(fmt.Sprintf("INSERT INTO client_caches (client_id, last_serial, states, digest, unsent, claimed_time) "+
		"VALUES ('%s', %d, %d, 7, %d, '%s')",
		ID(client), last, states, unsent, s.Micros(ago)))
}

func (s *Site) Issued(client int, number uint32, reason string, next uint64, ago time.Duration) {
	s.T.Helper()
	s.Exec(fmt.Sprintf("INSERT INTO resyncs (client_id, number, issued_time, reason, issued_by, next_serial) VALUES "+
		"('%s', %d, '%s', '%s', '%s', %d)",
		ID(client), number, s.Micros(ago), reason, map[bool]string{true: "anna"}[reason == "requested"], next))
}

func (s *Site) PickedUp(client int, number uint32, ago time.Duration) {
	s.T.Helper()
	s.Exec(fmt.Sprintf("INSERT INTO resync_pickups (client_id, number, picked_up_time) VALUES ('%s', %d, '%s')",
		ID(client), number, s.Micros(ago)))
}

func (s *Site) Checked(ago time.Duration) {
	s.T.Helper()
	s.Exec(fmt.Sprintf("INSERT INTO resync_checks (time, kind, watermark, clients) VALUES ('%s', 'incremental', '%s', 12)",
		s.Micros(ago), s.Micros(ago)[:23]))
}

// Client is one that reported once, so long ago, with all serials up to last.
func (s *Site) Client(n int, last uint64, ago time.Duration) {
	s.T.Helper()
	s.Reports(Report{Client: n, Name: fmt.Sprintf("PC-%04d", n), Received: 60 * Day, File: fmt.Sprintf("first-%d.SMX", n)},
		Report{Client: n, Name: fmt.Sprintf("PC-%04d", n), Received: ago, Lag: 2 * time.Second,
			File: fmt.Sprintf("latest-%d.SMX", n), Messages: 3})
	if last > 0 {
		s.Arrived(n, 1, last)
	}
}

// Jumped is a site with a client of which one message is lost, and whose serials jumped.
func Jumped(t testing.TB) *Site {
	s := NewSite(t)
	s.Client(1, 8, Hour)
	s.Arrived(1, 10, 10, 5_000_000, 5_000_000)
	s.Missing(1, 9, 9, Hour)
	s.Missing(1, 11, 4_999_999, Hour)
	return s
}

// Explained are the facts about a client: their texts by code.
func (s *Site) Explained(client int) map[string]string {
	s.T.Helper()
	e, err := s.Explainer().Explain(s.T.Context(), ID(client).String(), nil)
	if err != nil {
		s.T.Fatal(err)
	}
	return Codes(e)
}

// Codes are the facts' codes with their texts.
func Codes(e *explain.Explanation) map[string]string {
	out := map[string]string{}
	for _, f := range e.Facts {
		out[f.Code] = f.Text
	}
	return out
}
