package resync

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/internal/serials"
	"statewire/resync/gaps"
	"statewire/smx"
)

const (
	// busyWait is how long a client that enrols is held off while files cannot be read that may be its own.
	busyWait = 10 * time.Minute
	// busySkip is how many serials are skipped then: more than unread files of one client bring.
	busySkip = 100_000
	// enrolment is who asks for the resync after a skip.
	enrolment = "enrolment"
)

// NextSerial is where a client that enrols continues.
type NextSerial struct {
	Next  uint64 `json:"next"`
	Known bool   `json:"known"` // it polled, or something of it is stored or waits in the inbox
}

// BusyError says that files wait that may be the client's and that cannot be read now. Ask again in a minute.
type BusyError struct {
	Reason string        `json:"reason"`
	Waited time.Duration `json:"waited_ns"` // since this client asked first
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("unread reports may be this client's, and their serials cannot be told yet: %s", e.Reason)
}

// NextSerial is the serial from which a client that enrols continues, so that it never gives one twice: behind all that
// is stored, claimed, or brought by unread files, and behind last, the greatest that it knows to have given. While files
// cannot be read that may be the client's it fails with a BusyError, for ten minutes at most. Then it skips 100,000
// serials: these are accepted at once, and the client is asked for its whole cache instead, for what lay below.
func (s *Service) NextSerial(ctx context.Context, client uuid.UUID, last uint64) (NextSerial, error) {
	id := smx.ClientID(client)
	if last > smx.MaxSerial {
		return NextSerial{}, control.Invalid("last serial %d: a client gives none above %d", last, uint64(smx.MaxSerial))
	}
	unread, err := s.listing.get(ctx, s.unread) // before the store is read: a report is in one of them
	if err != nil {
		return NextSerial{}, err
	}
	greatest, known, stored, err := s.greatest(ctx, id, last, unread)
	if err != nil {
		return NextSerial{}, err
	}
	if !unread.Everybody && !(unread.Partly && unread.Holds(id)) {
		s.patience.forget(id)
		return NextSerial{greatest + 1, known}, s.settleErased(ctx, id, stored)
	}
	if waited := s.patience.waited(id, s.now()); waited < busyWait {
		return NextSerial{}, &BusyError{cmp.Or(unread.Reason, "more waits than is read at once"), waited}
	}
	next, err := s.skip(ctx, id, greatest)
	return NextSerial{next, true}, err
}

// greatest is the greatest serial that the client is known to have given, whether the site heard of it, and what is
// stored of it.
func (s *Service) greatest(ctx context.Context, client smx.ClientID, last uint64, unread gaps.Unread) (uint64, bool,
	storedSerials, error) {
	claimed, polled := s.offers.claimed(client) // before the store is read: a claim leaves when it is stored
	stored, err := s.questions.of(ctx, client)
	if err != nil {
		return 0, false, stored, err
	}
	greatest := max(last, stored.greatest, stored.floor)
	for _, run := range unread.Arriving[client] {
		greatest = max(greatest, run.Last)
	}
	for _, serial := range claimed {
		if !serials.Jumps(serial, max(stored.measure, stored.floor)) {
			greatest = max(greatest, serial)
		}
	}
	_, waits := unread.Clients[client]
	return greatest, stored.known || polled || waits, stored, nil
}

// settleErased lets nothing be missing below the serials of a client that was erased, and comes back.
func (s *Service) settleErased(ctx context.Context, client smx.ClientID, stored storedSerials) error {
	if stored.floor == 0 || stored.known {
		return nil
	}
	return s.store.putBaselines(ctx, []gaps.Candidate{{Client: client, NextSerial: stored.floor + 1}}, s.now().UTC())
}

// skip makes the client continue far behind the greatest serial known, and settles what is between.
func (s *Service) skip(ctx context.Context, client smx.ClientID, greatest uint64) (uint64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	now := s.now().UTC().Truncate(time.Microsecond)
	w := gaps.Candidate{Client: client, NextSerial: min(greatest+busySkip, smx.MaxSerial+1)}
	// The baseline first: what is claimed is settled already. The request last, and later than the baseline, which ends
	// those before it.
	if err := s.store.putBaselines(ctx, []gaps.Candidate{w}, now); err != nil {
		return 0, err
	}
	given := claim{Poll: smx.Poll{Client: client, LastSerial: w.NextSerial - 1}, at: now}
	if err := s.store.noteGiven(ctx, given); err != nil {
		return 0, err
	}
	s.offers.drop([]smx.ClientID{client})
	w.Since, w.By = now.Add(time.Microsecond), enrolment
	known, err := s.store.latest(ctx, client)
	if err != nil {
		return 0, err
	}
	w.Number = known.Number
	if err := s.store.putRequests(ctx, []gaps.Candidate{w}); err != nil {
		return 0, err
	}
	s.waiting = max(s.waiting, 1)
	s.log.Warn("serials skipped for a client that enrols: files that may be its own could not be read",
		"client", client.String(), "from", greatest+1, "next_serial", w.NextSerial)
	return w.NextSerial, nil
}

// noteGiven stores that a client was given serials up to one.
func (l *storeLedger) noteGiven(ctx context.Context, c claim) error {
	var row claimRows
	row.add(c)
	err := l.store.Insert(ctx, `INSERT INTO client_claims (client_id, last_serial, claimed_time)`, row.clients, row.last,
		row.times)
	return wrap(err, "store the serials that the client was given")
}

// latest is the latest resync of a client.
func (l *storeLedger) latest(ctx context.Context, client smx.ClientID) (one gaps.Candidate, err error) {
	err = l.serials(ctx, []smx.ClientID{client}, func(part []gaps.Candidate) error {
		for _, one = range part {
		}
		return nil
	})
	return one, err
}
