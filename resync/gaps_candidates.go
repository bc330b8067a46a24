package resync

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
)

//go:embed sql/gaps_candidates.sql
var candidatesSQL string

// candidate is a client that should be asked for a resync.
type candidate struct {
	Client     smx.ClientID
	Reason     string    // reasonConflict, reasonDiffers or reasonMissing: the first of them that holds
	Since      time.Time // the first detection of that reason
	NextSerial uint64    // greatest seen or claimed, plus one
	Number     uint32    // of the latest resync issued to it, 0 when there was none
	Asked      time.Time // when that was issued; zero when there was none
}

// candidateOptions leave out clients that cannot be asked yet. Times after At were stamped by a clock that was wrong since;
// those clients are always in.
type candidateOptions struct {
	At            time.Time
	MissingBefore time.Time // leaves out clients whose reason is a range first detected after this; zero: nobody
	AskedBefore   time.Time // leaves out clients asked after this; zero: nobody
}

// candidates yields the clients to ask in the order in which they are asked: conflicts, differences, missing ranges, of each
// the oldest first; until take answers false.
func (f *finder) candidates(ctx context.Context, opt candidateOptions, take func(candidate) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if opt.MissingBefore.IsZero() {
		opt.MissingBefore = opt.At
	}
	if opt.AskedBefore.IsZero() {
		opt.AskedBefore = opt.At
	}
	const doing = "list the clients to ask for a resync: %w"
	rows, err := f.store.Conn().Query(ctx, candidatesSQL, timeArg("at", opt.At), timeArg("missing_before", opt.MissingBefore),
		timeArg("asked_before", opt.AskedBefore))
	if err != nil {
		return fmt.Errorf(doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		var c candidate
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
