package ingest

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// insertMessages and insertRest store a batch. Repeating them changes no answer: every row's key, and what its key
// keeps, comes from the files. Messages go first: nothing may say that a message arrived which the store then refuses.
func (l *Loader) insertMessages(ctx context.Context, b batch) error {
	began := time.Now()
	for _, t := range messagesTables(b) {
		if err := l.insertTable(ctx, t); err != nil {
			return err
		}
	}
	l.metrics.insert.Observe(time.Since(began).Seconds())
	l.metrics.insertRows.Observe(float64(b.size().rows))
	return nil
}

func (l *Loader) insertRest(ctx context.Context, b batch) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.insertReports(gctx, b) })
	g.Go(func() error { return l.insertRanges(gctx, b) })
	g.Go(func() error { return l.insertTitles(gctx, b) })
	return g.Wait()
}

// insertReports keeps an order on which the site's account of what arrived rests: what a report counts as set aside is
// listed.
func (l *Loader) insertReports(ctx context.Context, b batch) error {
	for _, t := range []table{recordsTable(b, l.now()), badReportsTable(b, l.now()), reportsTable(b)} {
		if err := l.insertTable(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// insertRanges keeps an order on which the gap check rests: a run that is added up can be read.
func (l *Loader) insertRanges(ctx context.Context, b batch) error {
	ranges, arrivals := rangesTables(b)
	if err := l.insertTable(ctx, ranges); err != nil {
		return err
	}
	return l.insertTable(ctx, arrivals)
}

// table is the rows for one table, in blocks of columns in the order of its statement.
type table struct {
	name   string
	sql    string
	rows   int
	blocks [][]any
}

func (l *Loader) insertTable(ctx context.Context, t table) error {
	if t.rows == 0 {
		return nil
	}
	defer l.flights.begin()()
	if err := l.store.InsertPieces(ctx, t.sql, t.blocks); err != nil {
		return fmt.Errorf("store in %s: %w", t.name, refused(err))
	}
	return nil
}

// insertRows and insertBytes bound one insert of messages: what the driver and the engine hold at once, several times
// over. Bytes are those of the stored texts.
const (
	insertRows  = 80 << 10
	insertBytes = 12 << 20
)

// messagesTables is the messages of a batch: one table, or several when the batch is extraordinary.
func messagesTables(b batch) (all []table) {
	t := newMessagesTable()
	bytes := 0
	for _, p := range b {
		m := p.messages()
		from := m.from
		for i := m.from; i < m.to; i++ {
			t.rows++
			if bytes += p.textBytes(i); t.rows < insertRows && bytes < insertBytes {
				continue
			}
			all = append(all, t.with(p, span{from, i + 1}))
			t, bytes, from = newMessagesTable(), 0, i+1
		}
		t = t.with(p, span{from, m.to})
	}
	return append(all, t)
}

func newMessagesTable() table {
	return table{
		name: "state_messages",
		sql: `INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, topic_id_type, state_id,
			criticality, params, details, source_file, user, user_sid, details_type, flags, receipt, payload_hash, message_us)`,
	}
}

// with adds some messages to the table; its rows are counted already.
func (t table) with(p piece, m span) table {
	if m.len() > 0 {
		r := &p.rows
		t.blocks = append(t.blocks, []any{p.clients[m.from:m.to], r.Serial[m.from:m.to], p.received[m.from:m.to],
			r.TopicType[m.from:m.to], r.TopicID[m.from:m.to], r.TopicIDType[m.from:m.to], r.StateID[m.from:m.to],
			r.Criticality[m.from:m.to], p.params(m), r.Details[m.from:m.to], p.filesOf[m.from:m.to], r.User[m.from:m.to],
			r.UserSID[m.from:m.to], r.DetailsType[m.from:m.to], r.Flags[m.from:m.to], p.receipts[m.from:m.to],
			r.Hash[m.from:m.to],
			r.Time[m.from:m.to]})
	}
	return t
}
