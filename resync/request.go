package resync

import (
	"context"
	_ "embed"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/store"
)

// RequestOptions say how a resync is asked for.
type RequestOptions struct {
	By       string // who asks; it is kept with the resync
	DryRun   bool   // writes nothing
	Rows     int    // how many issued resyncs RequestResult carries; below 0 all
	Progress func(done, total int)
}

// RequestResult is what became of a request.
type RequestResult struct {
	Clients      int            `json:"clients"` // asked for
	Unknown      []string       `json:"unknown"` // named, but never seen by this site: nobody to ask; the first of them
	UnknownTotal int            `json:"unknown_total"`
	Issued       []Issued       `json:"issued"`
	IssuedTotal  int            `json:"issued_total"`
	Waiting      int            `json:"waiting"`    // asked as soon as unread reports and the bound allow
	HeldTotals   map[string]int `json:"held_total"` // of those waiting, by what holds them
	Outstanding  int            `json:"outstanding"`
	UnreadReason string         `json:"unread_reason,omitempty"`
	DryRun       bool           `json:"dry_run"`
}

// clientsPerPart is how many clients are handed over at once.
const clientsPerPart = 100_000

// clientsPerQuery is how many clients are named in one query.
const clientsPerQuery = 10_000

// Request asks clients for a resync because a person wants it: no age and no interval holds it, but unread reports and
// the bound do. Whoever cannot be asked now is asked as soon as that is over; the wish is kept.
func (s *Service) Request(ctx context.Context, target Target, o RequestOptions) (RequestResult, error) {
	if err := target.check(); err != nil {
		return RequestResult{}, err
	}
	if err := s.enter(ctx); err != nil {
		return RequestResult{}, err
	}
	defer s.leave()
	now, line, err := s.prepare(ctx, time.Time{})
	if err != nil {
		return RequestResult{}, err
	}
	out := RequestResult{DryRun: o.DryRun}
	unread := s.listUnread(ctx) // before the serials are read, as in a check
	owed, err := s.refresh(ctx, now)
	if err != nil {
		return out, err
	}
	clients, err := s.targets(ctx, target)
	if err != nil {
		return out, err
	}
	round := newRound(now, line, *s.cfg.Load(), unread, owed)
	if unread.Everybody {
		out.UnreadReason = unread.Reason
	}
	err = s.recorded(ctx, "resync.request", target, clients, o.DryRun, func() error {
		if err := s.wish(ctx, clients, target.All, o, round, &out); err != nil || o.DryRun {
			return err
		}
		return s.askWished(ctx, o, round, &out)
	})
	out.take(round, o.Rows)
	return out, err
}

// wish finds the clients, part by part, keeps the wish and lets the round decide. Who is unknown is left out.
func (s *Service) wish(ctx context.Context, clients []smx.ClientID, all bool, o RequestOptions, round *round,
	out *RequestResult) error {
	return s.store.known(ctx, clients, all, func(part []gaps.Candidate, unknown []smx.ClientID) error {
		for i := range part {
			part[i].Reason, part[i].By, part[i].Since = reasonRequested, o.By, round.now
			round.take(part[i])
		}
		out.Clients += len(part)
		out.UnknownTotal += len(unknown)
		out.Unknown = nameSome(out.Unknown, unknown)
		if o.Progress != nil {
			o.Progress(out.Clients+out.UnknownTotal, max(len(clients), out.Clients))
		}
		if o.DryRun {
			return nil
		}
		return s.store.putRequests(ctx, part)
	})
}

// nameSome appends as many clients as a result names.
func nameSome(names []string, clients []smx.ClientID) []string {
	for _, client := range clients[:min(len(clients), heldRows-len(names))] {
		names = append(names, client.UUID())
	}
	return names
}

// askWished issues what the round decided. The wishes of the others are kept: the next looks meet them.
func (s *Service) askWished(ctx context.Context, o RequestOptions, round *round, out *RequestResult) error {
	if err := s.issue(ctx, round); err != nil {
		return err
	}
	left := out.Clients - len(round.issue)
	s.waiting = max(s.waiting, left)
	s.metrics.outstanding.Set(float64(round.outstanding))
	s.log.Info("resync requested", "by", o.By, "clients", out.Clients, "unknown", out.UnknownTotal,
		"issued", len(round.issue), "waiting", left, "outstanding", round.outstanding)
	return nil
}

// take writes what the round decided into the result.
func (out *RequestResult) take(round *round, rows int) {
	r := Result{}
	r.report(round, CheckOptions{Rows: rows})
	out.Issued, out.IssuedTotal, out.Waiting = r.Issued, r.IssuedTotal, r.Waiting
	out.HeldTotals, out.Outstanding = r.HeldTotals, r.Outstanding
}

//go:embed sql/serials.sql
var serialsSQL string

// targets are the clients that are meant; none when all are.
func (s *Service) targets(ctx context.Context, t Target) ([]smx.ClientID, error) {
	if t.Collection == "" {
		return slices.Compact(slices.SortedFunc(slices.Values(t.Clients), smx.ClientID.Compare)), nil
	}
	_, members, err := s.collections.Show(ctx, t.Collection)
	if err == nil && len(members) == 0 {
		return nil, control.Invalid("collection %s has no clients", t.Collection)
	}
	return members, err
}

// known hands over, part by part, which of the clients the site knows, with the serial to continue from and their
// latest resync. Of all, it hands over all that the site knows.
func (l *storeLedger) known(ctx context.Context, clients []smx.ClientID, all bool,
	take func([]gaps.Candidate, []smx.ClientID) error) error {
	if all {
		return l.serials(ctx, nil, func(part []gaps.Candidate) error { return take(part, nil) })
	}
	for names := range slices.Chunk(clients, clientsPerQuery) {
		err := l.serials(ctx, names, func(part []gaps.Candidate) error { return take(part, unknown(names, part)) })
		if err != nil {
			return err
		}
	}
	return nil
}

// unknown are the names that nobody has.
func unknown(names []smx.ClientID, known []gaps.Candidate) (out []smx.ClientID) {
	have := make(map[smx.ClientID]bool, len(known))
	for _, w := range known {
		have[w.Client] = true
	}
	for _, name := range names {
		if !have[name] {
			out = append(out, name)
		}
	}
	return out
}

// serials reads what is known of the named clients, or of all when none is named, and hands it over in parts; an empty
// part when there is nothing.
func (l *storeLedger) serials(ctx context.Context, names []smx.ClientID, take func([]gaps.Candidate) error) error {
	var part []gaps.Candidate
	err := l.store.EachRow(ctx, serialsSQL, []any{store.UUIDsArg("clients", names)},
		func(scan func(...any) error) error {
			var client uuid.UUID
			var w gaps.Candidate
			if err := scan(&client, &w.NextSerial, &w.Number, &w.Asked); err != nil {
				return err
			}
			w.Client = smx.ClientID(client)
			if w.Number == 0 {
				w.Asked = time.Time{}
			}
			part = append(part, w)
			if len(part) < clientsPerPart {
				return nil
			}
			full := part
			part = part[:0]
			return take(full)
		})
	if err != nil {
		return wrap(err, "look for the clients")
	}
	return take(part)
}

func (l *storeLedger) putRequests(ctx context.Context, wants []gaps.Candidate) error {
	n := len(wants)
	clients, times, by, after := make([]uuid.UUID, n), make([]time.Time, n), make([]string, n), make([]uint32, n)
	for i, w := range wants {
		clients[i], times[i], by[i], after[i] = uuid.UUID(w.Client), w.Since, w.By, w.Number
	}
	err := l.store.Insert(ctx, `INSERT INTO resync_requests (client_id, requested_time, requested_by, after_number)`,
		clients, times, by, after)
	return wrap(err, "store the request for resyncs")
}
