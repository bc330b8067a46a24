package store

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Lists are the rows of an Array(String) column: row i is Flat[Ends[i-1]:Ends[i]].
type Lists struct {
	Flat []string
	Ends []uint32
}

// Append adds a row.
func (l *Lists) Append(texts ...string) {
	l.Flat = append(l.Flat, texts...)
	l.Ends = append(l.Ends, uint32(len(l.Flat)))
}

// Insert stores rows given column by column, in the order of the statement's
// columns: slices of one length, or Lists. The rows are one block and on the disk
// when it returns nil. An error means that the outcome is unknown, unless the
// columns differ in length: then nothing was sent.
func (s *Store) Insert(ctx context.Context, statement string, columns ...any) error {
	return s.InsertPieces(ctx, statement, [][]any{columns})
}

// InsertPieces is Insert of columns that come in pieces. They still are one block.
func (s *Store) InsertPieces(ctx context.Context, statement string, pieces [][]any) error {
	rows, err := rowCount(pieces)
	if err != nil || rows == 0 {
		return err
	}
	shape := s.shapes.take(statement)
	batch, err := s.conn.PrepareBatch(shape.describe(s.InsertContext(ctx)), statement)
	if err != nil {
		return fmt.Errorf("insert %d rows: %w", rows, err)
	}
	defer batch.Close()
	shape.lend(batch)
	for _, columns := range pieces {
		if err := appendColumns(batch, columns); err != nil {
			return fmt.Errorf("insert %d rows: %w", rows, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("insert %d rows: %w", rows, err)
	}
	s.shapes.put(statement, batch.Columns())
	return nil
}

// InsertContext carries the settings that make an insert durable before it is
// acknowledged, and stored rather than taken for a repeat. An error of such an
// insert means that its outcome is unknown: insert the same rows again.
func (s *Store) InsertContext(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(s.inserts))
}

// insertSettings chooses by version, because a server refuses settings that it does
// not know. Deduplication by token is off everywhere: the engine logs the token
// before the rows are on disk, and exactly once comes from the tables. Merging the
// rows of a block among themselves while inserting costs more than half of the
// insert's time and is not needed: readers merge them. The months in one insert are not
// counted: the received times of a file that somebody made up must not keep it, and its
// neighbours, from ever being stored.
func insertSettings(major, minor uint64) clickhouse.Settings {
	set := clickhouse.Settings{"async_insert": 0, "insert_deduplicate": 0, "optimize_on_insert": 0,
		"max_partitions_per_insert_block": 0}
	if major > 26 || major == 26 && minor >= 2 {
		delete(set, "insert_deduplicate")
		set["deduplicate_insert"] = "disable"
	}
	return set
}

// rowCount adds up the pieces' rows. The driver would send uneven columns as an empty
// insert and call that a success.
func rowCount(pieces [][]any) (int, error) {
	total := 0
	for _, columns := range pieces {
		rows := -1
		for i, c := range columns {
			n := columnLength(c)
			if rows >= 0 && n != rows {
				return 0, fmt.Errorf("insert: column %d has %d rows, the ones before it have %d", i, n, rows)
			}
			rows = n
		}
		total += max(rows, 0)
	}
	return total, nil
}

func columnLength(values any) int {
	if lists, ok := values.(Lists); ok {
		return len(lists.Ends)
	}
	return reflect.ValueOf(values).Len()
}

func appendColumns(batch driver.Batch, columns []any) error {
	for i, c := range columns {
		var err error
		if lists, ok := c.(Lists); ok {
			err = AppendLists(batch.Column(i), lists.Flat, lists.Ends)
		} else {
			err = batch.Column(i).Append(c)
		}
		if err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

// AppendLists appends rows of an Array(String) column from one flat list: row i is
// flat[ends[i-1]:ends[i]]. It saves, against appending a [][]string, an allocation
// per text and the driver's way through reflection. Insert does the same for Lists.
func AppendLists(column driver.BatchColumn, flat []string, ends []uint32) error {
	pointers := make([]*string, len(flat))
	for i := range flat {
		pointers[i] = &flat[i]
	}
	from := uint32(0)
	for _, to := range ends {
		if err := column.AppendRow(pointers[from:to]); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// shapesKept is how many sets of columns are kept per statement: one per thread that
// inserts at once.
const shapesKept = 2

// shapes keep the driver's columns of statements that were sent. The driver makes
// new ones for every batch, and growing them costs more than filling them.
type shapes struct {
	mu   sync.Mutex
	idle map[string][]shape // Guarded by mu.
}

// shape are the columns of one statement, empty, with their memory; none when the
// statement is new.
type shape []column.Interface

func (s *shapes) take(statement string) shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.idle[statement]
	if len(kept) == 0 {
		return nil
	}
	s.idle[statement] = kept[:len(kept)-1]
	return kept[len(kept)-1]
}

// put keeps the columns of a batch that was sent. After an error they may still be
// read by the driver and must not come here.
func (s *shapes) put(statement string, columns []column.Interface) {
	for _, c := range columns {
		c.Reset()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle == nil {
		s.idle = map[string][]shape{}
	}
	if len(s.idle[statement]) < shapesKept {
		s.idle[statement] = append(s.idle[statement], columns)
	}
}

// describe tells the driver the columns' names and types, so that it need not ask.
func (s shape) describe(ctx context.Context) context.Context {
	if s == nil {
		return ctx
	}
	known := make([]clickhouse.ColumnNameAndType, len(s))
	for i, c := range s {
		known[i] = clickhouse.ColumnNameAndType{Name: c.Name(), Type: string(c.Type())}
	}
	return clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes(known))
}

// lend gives the batch's columns the memory of the kept ones.
func (s shape) lend(batch driver.Batch) {
	for i, c := range batch.Columns() {
		if i < len(s) && c.Type() == s[i].Type() && c.Name() == s[i].Name() {
			reflect.ValueOf(c).Elem().Set(reflect.ValueOf(s[i]).Elem())
		}
	}
}
