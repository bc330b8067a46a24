package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/google/uuid"

	"statewire/internal/refusals"
)

// refusedInterval is how often the loader looks at what the relay refused.
const refusedInterval = 10 * time.Second

// refused copies what the relay notes of refused reports into the store. The relay itself has no store.
type refusedReports struct {
	file    string
	looked  os.FileInfo // as it was when all of it was in the store; nil: never
	highest *uint64     // the greatest change in the store; nil: not read yet
}

// copyRefused copies the relay's notes until ctx is done. What could not be stored is tried again.
func (l *Loader) copyRefused(ctx context.Context) {
	ticker := time.NewTicker(refusedInterval)
	defer ticker.Stop()
	for {
		l.copyRefusedNow(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (l *Loader) copyRefusedNow(ctx context.Context) {
	if err := l.refusedReports.copy(ctx, l); err != nil && ctx.Err() == nil {
		l.log.Warn("refused reports not copied", "err", err)
	}
}

// copy stores what changed since it last did.
func (r *refusedReports) copy(ctx context.Context, l *Loader) error {
	if r.file == "" {
		return nil
	}
	now, err := os.Stat(r.file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && r.looked != nil && os.SameFile(now, r.looked) &&
		now.ModTime().Equal(r.looked.ModTime()) {
		return nil
	}
	all, err := refusals.Read(r.file)
	if err != nil {
		return err
	}
	if r.highest == nil {
		var highest uint64
		if err := l.store.Conn().QueryRow(ctx, "SELECT max(change) FROM refused_reports").Scan(&highest); err != nil {
			return fmt.Errorf("read which refused reports are stored: %w", err)
		}
		r.highest = &highest
	}
	rows, highest := refusedTable(all, *r.highest)
	if err := l.insertTable(ctx, rows); err != nil {
		return err
	}
	r.looked, r.highest = now, &highest
	return nil
}

// refusedTable are the refusals that changed after a change, and the greatest change of all.
func refusedTable(all []refusals.Refusal, after uint64) (t table, highest uint64) {
	var (
		slots, lines, columns, counts    []uint32
		changes                          []uint64
		clients                          []uuid.UUID
		verified, retries                []bool
		names, addresses, codes, details []string
		times                            []time.Time
		statuses                         []uint16
		taken                            []*time.Time
	)
	highest = after
	for _, r := range all {
		client, err := uuid.Parse(r.Client)
		if r.Change <= after || err != nil {
			continue
		}
		highest = max(highest, r.Change)
		slots, changes, clients, verified = append(slots, r.Slot), append(changes, r.Change), append(clients, client), append(
			verified, r.Verified)
		names, addresses, times = append(names, r.Name), append(addresses, r.Address), append(times, r.Time)
		codes, statuses, details = append(codes, r.Code), append(statuses, uint16(r.Status)), append(details, r.Detail)
		lines, columns = append(lines, uint32(r.Line)), append(columns, uint32(r.Column))
		retries, counts = append(retries, r.Retry), append(counts, uint32(r.Count))
		var at *time.Time
		if r.Over() {
			at = &r.Taken
		}
		taken = append(taken, at)
	}
	return table{
		name: "refused_reports",
		sql: `INSERT INTO refused_reports (slot, change, client_id, verified, netbios_name, address, refused_time, code, status, line, column,
			detail, retry, refusals, taken_time)`,
		rows: len(slots),
		blocks: [][]any{{slots, changes, clients, verified, names, addresses, times, codes, statuses, lines, columns, details,
			retries, counts,
			taken}},
	}, highest
}
