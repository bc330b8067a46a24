package store_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/store"
	"statewire/store/storetest"
)

const benchRows = 100_000

// messages are the columns of state_messages as the loader fills them.
type messages struct {
	file, receipt, topicID, user, sid, details []string
	clients                                    []uuid.UUID
	serial, hash                               []uint64
	received                                   []time.Time
	topicType, state, criticality              []uint32
	topicIDType                                []uint16
	params                                     store.Lists
	detailsType                                []int32
	flags                                      []uint8
	us                                         []int64
}

// someMessages are rows messages of clients with ten each, like a fleet's.
func someMessages(rows int, seed uint64) *messages {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &messages{}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		var id uuid.UUID
		binary.BigEndian.PutUint64(id[:], uint64(i/10)*0x9E3779B97F4A7C15)
		m.clients = append(m.clients, id)
		m.serial = append(m.serial, seed*10+uint64(i%10)+1)
		m.received = append(m.received, at.Add(time.Duration(i/10)*time.Millisecond))
		m.topicType = append(m.topicType, 300+uint32(i%5)*100)
		m.topicID = append(m.topicID, fmt.Sprintf("ScopeId_8A4D7C11/RequiredConfig_%04d", i%20))
		m.topicIDType = append(m.topicIDType, 3)
		m.state = append(m.state, uint32(r.IntN(5)))
		m.criticality = append(m.criticality, 0)
		m.params.Append([][]string{nil, {"0"}, {"KB5005112", "1"}, {"a", "b", "c"}}[i%4]...)
		m.details = append(m.details, "")
		m.file = append(m.file, fmt.Sprintf("20260301T000000.%06d-4f7c1b2a9d3e5f60718293a4b5c6d7e8.SMX", i/1000))
		m.user, m.sid = append(m.user, ""), append(m.sid, "")
		m.detailsType, m.flags = append(m.detailsType, 0), append(m.flags, 0)
		m.receipt = append(m.receipt, fmt.Sprintf("r-%012x", i/10))
		m.hash = append(m.hash, r.Uint64())
		m.us = append(m.us, at.UnixMicro()+int64(i))
	}
	return m
}

const insertMessages = `INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, topic_id_type, state_id,
	criticality, params, details, source_file, user, user_sid, details_type, flags, receipt, payload_hash, message_us)`

func (m *messages) columns() []any {
	return []any{m.clients, m.serial, m.received, m.topicType, m.topicID, m.topicIDType, m.state,
		m.criticality, m.params, m.details, m.file, m.user, m.sid, m.detailsType, m.flags, m.receipt, m.hash, m.us}
}

func insertColumns(ctx context.Context, s *store.Store, into string, m *messages) error {
	return s.Insert(ctx, into, m.columns()...)
}

// BenchmarkRatioDriverInsert compares inserts through the driver with the engine's own
// copy of the same rows from memory, both into all the tables of a site.
func BenchmarkRatioDriverInsert(b *testing.B) {
	s := storetest.New(b)
	ctx := b.Context()
	m := someMessages(benchRows, 1)
	exec(b, s, "CREATE TABLE source ENGINE = Memory AS SELECT * FROM state_messages", "SYSTEM STOP MERGES")
	if err := insertColumns(ctx, s, strings.Replace(insertMessages, "state_messages", "source", 1), m); err != nil {
		b.Fatal(err)
	}
	var engine, driver []time.Duration
	for b.Loop() {
		engine = append(engine, timed(b, func() error {
			return s.Conn().Exec(s.InsertContext(ctx), "INSERT INTO state_messages SELECT * FROM source")
		}))
		driver = append(driver, timed(b, func() error { return insertColumns(ctx, s, insertMessages, m) }))
	}
	report(b, "of_engine", driver, engine)
}

// BenchmarkRatioDurableInsert compares inserts that are on the disk when they return
// with inserts that are not.
func BenchmarkRatioDurableInsert(b *testing.B) {
	s := storetest.New(b)
	ctx := b.Context()
	exec(b, s, "SYSTEM STOP MERGES")
	careless := storetest.New(b)
	for _, table := range mergeTrees(b, careless) {
		exec(b, careless, "ALTER TABLE "+table.Name+" MODIFY SETTING fsync_after_insert = 0, fsync_part_directory = 0")
	}
	m := someMessages(benchRows, 1)
	var durable, quick []time.Duration
	for b.Loop() {
		quick = append(quick, timed(b, func() error { return insertColumns(ctx, careless, insertMessages, m) }))
		durable = append(durable, timed(b, func() error { return insertColumns(ctx, s, insertMessages, m) }))
	}
	report(b, "of_not_durable", durable, quick)
}

// BenchmarkRatioInsertWithHistory is what the history of topics costs: inserts with it and without, of two sizes.
func BenchmarkRatioInsertWithHistory(b *testing.B) {
	for _, rows := range []int{10_000, benchRows} {
		b.Run(strconv.Itoa(rows), func(b *testing.B) {
			with, without := storetest.New(b), storetest.New(b)
			exec(b, with, "SYSTEM STOP MERGES")
			exec(b, without, "DROP VIEW topic_history_feed SYNC")
			m := someMessages(rows, 1)
			var long, short []time.Duration
			for b.Loop() {
				for range 5 {
					short = append(short, timed(b, func() error { return insertColumns(b.Context(), without, insertMessages, m) }))
					long = append(long, timed(b, func() error { return insertColumns(b.Context(), with, insertMessages, m) }))
				}
			}
			b.ReportMetric(float64(median(long))/float64(median(short)), "of_without")
			b.ReportMetric(float64(median(long).Microseconds())/1000, "ms")
		})
	}
}

// report compares medians: neighbours of the machine disturb single runs.
func report(b *testing.B, name string, took, limit []time.Duration) {
	b.Helper()
	t, l := median(took), median(limit)
	b.ReportMetric(float64(l)/float64(t)*100, "%"+name)
	b.ReportMetric(benchRows/t.Seconds(), "rows/s")
	b.ReportMetric(benchRows/l.Seconds(), "limit_rows/s")
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func timed(b *testing.B, f func() error) time.Duration {
	b.Helper()
	began := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
