package gaps

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store"
)

//go:embed sql/candidates.sql
var candidatesSQL string

// Why a client is asked for a resync, the most urgent first.
const (
	Conflict = "conflict" // two messages under one serial, or a serial that went back
	Differs  = "differs"  // nothing is missing, and yet the client holds other states
	Missing  = "missing"  // serials are missing
)

// Candidate is a client that should be asked for a resync.
type Candidate struct {
	Client     smx.ClientID
	Reason     string    // the first of the three that holds, or one of whoever adds candidates
	By         string    // who wants it asked; empty when it follows from what is missing
	Since      time.Time // the first detection of that reason
	NextSerial uint64    // greatest seen or claimed, plus one
	Number     uint32    // of the latest resync issued to it, 0 when there was none
	Asked      time.Time // when that was issued; zero when there was none
}

// CandidateOptions leave out clients that cannot be asked yet. Times after At were stamped by a clock that was wrong
// since; those clients are always in.
type CandidateOptions struct {
	At            time.Time
	MissingBefore time.Time // leaves out clients whose reason is a range first detected after this; zero: nobody
	AskedBefore   time.Time // leaves out clients asked after this; zero: nobody
}

// Candidates yields the clients to ask in the order in which they are asked: conflicts, differences, missing ranges, of
// each the oldest first; until take answers false.
func (f *Finder) Candidates(ctx context.Context, opt CandidateOptions, take func(Candidate) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if opt.MissingBefore.IsZero() {
		opt.MissingBefore = opt.At
	}
	if opt.AskedBefore.IsZero() {
		opt.AskedBefore = opt.At
	}
	const doing = "list the clients to ask for a resync: %w"
	rows, err := f.store.Conn().Query(ctx, candidatesSQL, store.TimeArg("at", opt.At),
		store.TimeArg("missing_before", opt.MissingBefore), store.TimeArg("asked_before", opt.AskedBefore))
	if err != nil {
		return fmt.Errorf(doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		var c Candidate
		var id uuid.UUID
		if err := rows.Scan(&id, &c.Reason, &c.Since, &c.NextSerial, &c.Number, &c.Asked); err != nil {
			return fmt.Errorf(doing, err)
		}
		c.Client = smx.ClientID(id)
		if c.Number == 0 {
			c.Asked = time.Time{}
		}
		if !take(c) {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf(doing, err)
	}
	return nil
}
