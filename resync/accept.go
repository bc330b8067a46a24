package resync

import (
	"context"
	_ "embed"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/internal/serials"
	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/store"
)

// AcceptOptions say how a baseline is accepted.
type AcceptOptions struct {
	By       string // who accepts; it is logged
	DryRun   bool   // writes nothing
	Claim    bool   // accepts the claims that are kept aside instead, and no baseline
	Progress func(done, total int)
}

// AcceptResult is what a baseline settled, or would settle, as of the last check.
type AcceptResult struct {
	Clients      int      `json:"clients"` // with a new baseline
	Unknown      []string `json:"unknown"` // named, but never seen by this site
	UnknownTotal int      `json:"unknown_total"`
	Ranges       uint64   `json:"ranges"`    // open ranges closed
	Messages     float64  `json:"messages"`  // given up for lost
	Conflicts    uint64   `json:"conflicts"` // settled
	Claims       int      `json:"claims"`    // that were kept aside and are believed now
	Cancelled    int      `json:"cancelled"` // outstanding resyncs that nobody waits for any more
	DryRun       bool     `json:"dry_run"`
}

// Accept takes what the site has as the whole truth for the clients: nothing up to the greatest serial seen or claimed
// counts as missing any more, conflicts are settled, and resyncs asked of them are taken back. What arrives later is
// stored all the same.
func (s *Service) Accept(ctx context.Context, target Target, o AcceptOptions) (AcceptResult, error) {
	if err := target.check(); err != nil {
		return AcceptResult{}, err
	}
	if o.Claim && target.All {
		return AcceptResult{},
			control.Invalid("claims of all clients cannot be accepted at once: name those you looked at")
	}
	if err := s.enter(ctx); err != nil {
		return AcceptResult{}, err
	}
	defer s.leave()
	now, _, err := s.prepare(ctx, time.Time{})
	if err != nil {
		return AcceptResult{}, err
	}
	clients, err := s.targets(ctx, target)
	if err != nil {
		return AcceptResult{}, err
	}
	out := AcceptResult{DryRun: o.DryRun}
	err = s.recorded(ctx, "resync.accept", target, clients, o.DryRun, func() (err error) {
		if o.Claim {
			out, err = s.acceptClaims(ctx, target, clients, o, now)
			return err
		}
		return s.accept(ctx, target, clients, o, now, &out)
	})
	return out, err
}

func (s *Service) accept(ctx context.Context, target Target, clients []smx.ClientID, o AcceptOptions, now time.Time,
	out *AcceptResult) error {
	if target.All {
		if err := s.store.open(ctx, nil, out); err != nil {
			return err
		}
	}
	err := s.store.known(ctx, clients, target.All, func(part []gaps.Candidate, unknown []smx.ClientID) error {
		out.Unknown = nameSome(out.Unknown, unknown)
		out.UnknownTotal += len(unknown)
		if err := s.acceptPart(ctx, target, part, o, now, out); err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(out.Clients+out.UnknownTotal, max(len(clients), out.Clients))
		}
		return nil
	})
	if err != nil || o.DryRun {
		return err
	}
	s.log.Info("baseline accepted", "by", o.By, "clients", out.Clients, "ranges", out.Ranges, "messages", out.Messages,
		"conflicts", out.Conflicts, "cancelled", out.Cancelled)
	return s.settle(ctx, now)
}

// acceptPart counts what a baseline for these clients settles, unless that was counted for all, and stores it. Clients
// that a person named may continue from there.
func (s *Service) acceptPart(ctx context.Context, target Target, part []gaps.Candidate, o AcceptOptions, now time.Time,
	out *AcceptResult) error {
	ids := make([]smx.ClientID, len(part))
	for i, w := range part {
		ids[i] = w.Client
	}
	if !target.All && len(ids) > 0 {
		if err := s.store.open(ctx, ids, out); err != nil {
			return err
		}
	}
	out.Clients += len(part)
	if o.DryRun {
		out.Cancelled += s.offers.count(ids)
		return nil
	}
	if err := s.store.putBaselines(ctx, part, now); err != nil {
		return err
	}
	if len(target.Clients) > 0 {
		list := make([]asideClaim, len(part))
		for i, w := range part {
			list[i] = asideClaim{client: uuid.UUID(w.Client), serial: w.NextSerial - 1}
		}
		if err := s.store.putAccepted(ctx, list, o.By, now); err != nil {
			return err
		}
	}
	out.Cancelled += s.offers.drop(ids)
	return nil
}

// settle closes, at once, what the new baselines close.
func (s *Service) settle(ctx context.Context, now time.Time) error {
	var r Result
	if _, err := s.find(ctx, &r, scan{at: now}); err != nil {
		return err
	}
	s.metrics.found(r.Gaps, now)
	_, err := s.refresh(ctx, now)
	return err
}

//go:embed sql/accepted.sql
var acceptedSQL string

// open adds what is open for these clients, or for all when none is named.
func (l *storeLedger) open(ctx context.Context, clients []smx.ClientID, out *AcceptResult) error {
	var ranges, conflicts uint64
	var messages float64
	args := []any{store.UUIDsArg("clients", clients), store.FlagArg("all", len(clients) == 0)}
	if err := l.store.Conn().QueryRow(ctx, acceptedSQL, args...).Scan(&ranges, &messages, &conflicts); err != nil {
		return wrap(err, "count the open ranges of the clients")
	}
	out.Ranges, out.Messages, out.Conflicts = out.Ranges+ranges, out.Messages+messages, out.Conflicts+conflicts
	return nil
}

func (l *storeLedger) putBaselines(ctx context.Context, part []gaps.Candidate, now time.Time) error {
	clients, last, times := make([]uuid.UUID, len(part)), make([]uint64, len(part)), make([]time.Time, len(part))
	for i, w := range part {
		clients[i], last[i], times[i] = uuid.UUID(w.Client), w.NextSerial-1, now
	}
	err := l.store.Insert(ctx, `INSERT INTO baselines (client_id, serial, accepted_time)`, clients, last, times)
	return wrap(err, "store the baselines")
}

//go:embed sql/accepted_serials.sql
var acceptedSerialsSQL string

// putAccepted stores that a person accepted serials of clients by their names.
func (l *storeLedger) putAccepted(ctx context.Context, list []asideClaim, by string, now time.Time) error {
	n := len(list)
	clients, last, times, who := make([]uuid.UUID, n), make([]uint64, n), make([]time.Time, n), make([]string, n)
	for i, c := range list {
		clients[i], last[i], times[i], who[i] = c.client, c.serial, now, by
	}
	err := l.store.Insert(ctx, `INSERT INTO accepted_serials (client_id, last_serial, accepted_time, accepted_by)`,
		clients, last, times, who)
	return wrap(err, "store the accepted serials")
}

// markAccepted says of resyncs whether a person accepted a serial near the one to continue from.
func (l *storeLedger) markAccepted(ctx context.Context, list []resync) error {
	for some := range slices.Chunk(list, clientsPerQuery) {
		ids, at := make([]smx.ClientID, len(some)), make(map[smx.ClientID]int, len(some))
		for i, r := range some {
			ids[i], at[r.client] = r.client, i
		}
		err := l.store.EachRow(ctx, acceptedSerialsSQL, []any{store.UUIDsArg("clients", ids)},
			func(scan func(...any) error) error {
				var client uuid.UUID
				var last uint64
				err := scan(&client, &last)
				r := &some[at[smx.ClientID(client)]]
				r.accepted = !serials.Jumps(r.next, last+1)
				return err
			})
		if err != nil {
			return wrap(err, "read which serials were accepted")
		}
	}
	return nil
}
