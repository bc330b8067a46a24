package store_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"statewire/store"
)

// message is a row of state_messages, as a test thinks of it.
type message struct {
	Client    byte
	Serial    uint64
	Topic     uint32
	TopicID   string
	State     uint32
	TimeUS    int64
	Hash      uint64
	Received  int64 // microseconds after the epoch of the test
	Params    []string
	Criticals uint32
}

// epoch is old enough for a short retention and young enough for the default one.
var epoch = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -100)

// after is a time of the test as SQL writes it.
func after(d time.Duration) string { return epoch.Add(d).Format("'2006-01-02 15:04:05.000000'") }

func clientID(n byte) uuid.UUID { return uuid.UUID{0: 0xF1, 15: n} }

func insert(t interface{ Fatal(...any) }, ctx context.Context, s *store.Store, rows ...message) {
	m := &messages{}
	for _, r := range rows {
		m.clients = append(m.clients, clientID(r.Client))
		m.serial = append(m.serial, r.Serial)
		m.received = append(m.received, epoch.Add(time.Duration(r.Received)*time.Microsecond))
		m.topicType = append(m.topicType, r.Topic)
		m.topicID = append(m.topicID, r.TopicID)
		m.topicIDType = append(m.topicIDType, 3)
		m.state = append(m.state, r.State)
		m.criticality = append(m.criticality, r.Criticals)
		m.params.Append(r.Params...)
		m.details, m.file, m.receipt = append(m.details, ""), append(m.file, "x.SMX"), append(m.receipt, "")
		m.user, m.sid = append(m.user, ""), append(m.sid, "")
		m.detailsType, m.flags = append(m.detailsType, 0), append(m.flags, 0)
		m.hash = append(m.hash, r.Hash)
		m.us = append(m.us, epoch.UnixMicro()+r.TimeUS)
	}
	if err := insertColumns(ctx, s, insertMessages, m); err != nil {
		t.Fatal(err)
	}
}

// state is a row of current_states.
type state struct {
	Client   byte
	Topic    uint32
	TopicID  string
	State    uint32
	TimeMS   int64
	Received int64
	Serial   uint64
}

func currentStates(t interface{ Fatal(...any) }, ctx context.Context, s *store.Store, where string) []state {
	rows, err := s.Conn().Query(ctx,
		"SELECT client_id, topic_type, topic_id, state_id, message_time, received_time, serial FROM current_states "+where)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []state
	for rows.Next() {
		var r state
		var id uuid.UUID
		var at, received time.Time
		if err := rows.Scan(&id, &r.Topic, &r.TopicID, &r.State, &at, &received, &r.Serial); err != nil {
			t.Fatal(err)
		}
		r.Client, r.TimeMS, r.Received = id[15], at.Sub(epoch).Milliseconds(), received.Sub(epoch).Microseconds()
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(out, compareStates)
	return out
}

func exec(t testing.TB, s *store.Store, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if err := s.Conn().Exec(s.InsertContext(t.Context()), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func count(t testing.TB, s *store.Store, sql string) uint64 {
	t.Helper()
	var n uint64
	if err := s.Conn().QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func namedUint(name string, n uint64) any { return clickhouse.Named(name, strconv.FormatUint(n, 10)) }
