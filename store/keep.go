package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// lookInterval is how often the keeper compares the store with its mark: what was
// inserted since the last mark is not known to be lost when it is.
const lookInterval = time.Minute

// keeper compares the store with the mark and writes the next one. Only the process
// that stores reports keeps the mark, of an engine of this machine.
type keeper struct {
	// Constant after settle.
	dir   string
	store uuid.UUID

	// Owned by whoever calls look, or settle before.
	mark       mark
	reported   map[string]bool // parts whose folders are gone, by table and blocks
	heardSince time.Time       // when every client of a restored store had been heard of
}

// standing is how a store that was opened compares with the data directory's mark.
type standing struct {
	mark   mark
	store  uuid.UUID // which store it says it is; zero: it doesn't say
	number uint64
	time   time.Time
	older  bool // than the mark
	gone   []lostPart
}

// expect refuses a data directory whose store is not there, before anything is made.
func (s *Store) expect(opt Options) error {
	if !s.marked(opt) || opt.NewStore {
		return nil
	}
	return Expect(opt.Dir)
}

// marked says whether the data directory's mark is about this store. A server's store
// is backed up and restored by whoever runs the server.
func (s *Store) marked(opt Options) bool { return opt.Dir != "" && len(s.cfg.Addr) == 0 }

// compare finds out, before the schema changes, how the store compares with the mark.
func (s *Store) compare(ctx context.Context, opt Options) (st standing, err error) {
	if !s.marked(opt) {
		return st, nil
	}
	if st.mark, _, err = readMark(opt.Dir); err != nil {
		return st, err
	}
	tables, err := s.tables(ctx)
	if err != nil {
		return st, err
	}
	if opt.NewStore {
		st.mark = mark{Number: st.mark.Number}
	}
	broken, err := s.readNumber(ctx, tables, &st)
	if err != nil || st.mark.Store == uuid.Nil {
		return st, err
	}
	if st.store != uuid.Nil && st.store != st.mark.Store {
		return st, refuseNew(opt.Dir, "another site's, or of another time")
	}
	if st.older = st.number < st.mark.Number && !broken; !st.older {
		st.gone = missing(st.mark, tables, s.clock())
	}
	return st, nil
}

// readNumber reads which store this is and how far. Where a part of that is broken, the
// number says nothing.
func (s *Store) readNumber(ctx context.Context, tables map[string]*tableParts, st *standing) (broken bool, err error) {
	if tables["store_marks"] == nil {
		return false, nil
	}
	err = s.each(ctx, "SELECT store_id, number, marked_time FROM store_marks ORDER BY number DESC LIMIT 1",
		func(scan func(...any) error) error {
			return scan(&st.store, &st.number, &st.time)
		})
	if err != nil {
		return false, fmt.Errorf("read the store's own mark: %w", err)
	}
	var parts uint64
	row := s.conn.QueryRow(ctx,
		"SELECT count() FROM system.detached_parts WHERE database = currentDatabase() AND table = 'store_marks'")
	if err := row.Scan(&parts); err != nil {
		return false, fmt.Errorf("look for broken parts: %w", err)
	}
	return parts > 0, nil
}

// settle makes known what compare found, and marks the store as it is now. A crash in
// between finds the same again.
func (s *Store) settle(ctx context.Context, opt Options, st standing) error {
	if !opt.Keep || !s.marked(opt) {
		return nil
	}
	k := &keeper{dir: opt.Dir, store: st.store, mark: st.mark, reported: map[string]bool{}}
	if k.store == uuid.Nil {
		k.store = st.mark.Store
	}
	if k.store == uuid.Nil {
		k.store = uuid.New()
	}
	if st.older {
		if err := s.recordRestored(ctx, st); err != nil {
			return err
		}
	}
	if err := s.recordLost(ctx, st.gone); err != nil {
		return err
	}
	tables, err := s.tables(ctx)
	if err != nil {
		return err
	}
	k.mark.Number = max(k.mark.Number, st.number)
	if err := s.writeMark(ctx, k, tables); err != nil {
		return err
	}
	s.keeper = k
	return nil
}

// writeMark marks the store as it was when tables was read: first in the store, then
// outside, so that a crash leaves the mark behind the store and never before it.
func (s *Store) writeMark(ctx context.Context, k *keeper, tables map[string]*tableParts) error {
	next := mark{Store: k.store, Number: k.mark.Number + 1, Time: s.clock().UTC(), Tables: partsOf(tables)}
	err := s.Insert(ctx, "INSERT INTO store_marks (store_id, number, marked_time)",
		[]uuid.UUID{next.Store}, []uint64{next.Number}, []time.Time{next.Time})
	if err != nil {
		return fmt.Errorf("mark the store: %w", err)
	}
	if err := writeMark(k.dir, next); err != nil {
		return err
	}
	k.mark = next
	return nil
}

// partsOf are the parts of tables that have any.
func partsOf(tables map[string]*tableParts) map[string][]part {
	all := make(map[string][]part, len(tables))
	for name, t := range tables {
		if len(t.parts) > 0 {
			all[name] = t.parts
		}
	}
	return all
}

// Watch compares the store with its mark once a minute until ctx is done, and makes
// known what is lost. It does nothing in a process that doesn't keep the mark.
func (s *Store) Watch(ctx context.Context) error {
	if s.keeper == nil {
		return nil
	}
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("store not compared with its mark", "err", err)
		}
	}
}

// look is one comparison, and the next mark when the parts have changed.
func (s *Store) look(ctx context.Context) error {
	k := s.keeper
	tables, err := s.tables(ctx)
	if err != nil {
		return err
	}
	unfounded, err := s.unfounded(ctx, tables)
	if err != nil {
		return err
	}
	unfounded = slices.DeleteFunc(unfounded, func(p lostPart) bool { return k.reported[p.key()] })
	gone := slices.DeleteFunc(missing(k.mark, tables, s.clock()), func(p lostPart) bool { return k.reported[p.key()] })
	for _, p := range unfounded {
		gone = slices.DeleteFunc(gone, func(g lostPart) bool { return g.key() == p.key() })
	}
	if err := s.recordLost(ctx, append(gone, unfounded...)); err != nil {
		return err // and the next look finds it again
	}
	for _, p := range unfounded {
		k.reported[p.key()] = true
	}
	if !maps.EqualFunc(k.mark.Tables, partsOf(tables), sameParts) {
		if err := s.writeMark(ctx, k, tables); err != nil {
			return err
		}
	}
	return s.attend(ctx)
}

func sameParts(a, b []part) bool {
	return slices.EqualFunc(a, b, func(a, b part) bool {
		a.path, b.path = "", ""
		return a == b
	})
}

func (p lostPart) key() string { return p.table + " " + p.blocks() }

// lastLook marks what was stored until now; it must not hold up the end.
func (s *Store) lastLook() error {
	if s.keeper == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.look(ctx); err != nil {
		s.log.Debug("store not marked at its end", "err", err)
	}
	s.keeper = nil
	return nil
}

// recordLost makes it known for good that parts are lost: the engine gives their block
// numbers to others, and the next mark knows nothing of them.
func (s *Store) recordLost(ctx context.Context, gone []lostPart) error {
	if len(gone) == 0 {
		return nil
	}
	events, rows := storeEvents{}, uint64(0)
	now := s.clock()
	for _, p := range gone {
		events.add("lost", p.table, p.blocks(), p.Rows, now, now)
		rows += p.Rows
		s.log.Error("a part of the store is lost", "table", p.table, "part", p.blocks(), "rows", p.Rows)
	}
	if err := s.insertEvents(ctx, events); err != nil {
		return err
	}
	s.log.Error("the store lost rows", "parts", len(gone), "rows", rows, "next",
		"see \"When the store is damaged\" in docs/store.md")
	return nil
}

//go:embed restored_clients.sql
var restoredClientsSQL string

// recordRestored makes it known that an older copy of the store was put back, and how it
// knows the clients.
func (s *Store) recordRestored(ctx context.Context, st standing) error {
	now := s.clock()
	if err := s.conn.Exec(s.InsertContext(ctx), restoredClientsSQL, TimeArg("restored", now)); err != nil {
		return fmt.Errorf("note how the restored store knows the clients: %w", err)
	}
	var events storeEvents
	events.add("restored", "", fmt.Sprint(st.mark.Number), 0, now, st.time)
	if err := s.insertEvents(ctx, events); err != nil {
		return err
	}
	s.log.Warn("an older copy of the store was put back", "copy", st.time, "mark", st.mark.Time)
	return nil
}

// storeEvents are rows of store_events.
type storeEvents struct {
	kinds, tables, parts []string
	rows                 []uint64
	times, storeTimes    []time.Time
}

func (e *storeEvents) add(kind, table, part string, rows uint64, at, storeTime time.Time) {
	e.kinds, e.tables, e.parts = append(e.kinds, kind), append(e.tables, table), append(e.parts, part)
	e.rows, e.times, e.storeTimes = append(e.rows, rows), append(e.times, at.UTC()), append(e.storeTimes, storeTime.UTC())
}

func (s *Store) insertEvents(ctx context.Context, e storeEvents) error {
	err := s.Insert(ctx, "INSERT INTO store_events (kind, table_name, part, rows, event_time, store_time)",
		e.kinds, e.tables, e.parts, e.rows, e.times, e.storeTimes)
	if err != nil {
		return errors.Join(errors.New("note what happened to the store"), err)
	}
	return nil
}
