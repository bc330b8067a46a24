package main

import (
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"statewire/smx"
)

// key names a message.
type key struct {
	client string // as the store writes it
	serial uint64
}

// ledger is what the clients know: which messages were acknowledged, and which may have arrived.
type ledger struct {
	mu       sync.Mutex
	acked    map[key]bool   // Guarded by mu, like the others.
	unknown  map[key]bool   // sent, and never acknowledged
	receipts map[string]int // messages under each receipt
}

func newLedger() *ledger {
	return &ledger{acked: map[key]bool{}, unknown: map[key]bool{}, receipts: map[string]int{}}
}

// sent notes messages before they leave.
func (l *ledger) sent(keys []key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		if !l.acked[k] {
			l.unknown[k] = true
		}
	}
}

// ack notes an answer 202.
func (l *ledger) ack(keys []key, receipt string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.receipts[receipt] = len(keys)
	for _, k := range keys {
		delete(l.unknown, k)
		l.acked[k] = true
	}
}

func (l *ledger) count() (acked, unknown int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked), len(l.unknown)
}

// check holds the store's answers against the ledger: acked ⊆ visible ⊆ acked ∪ unknown, each exactly once.
func (l *ledger) check(t testing.TB, data string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, arrived, history := map[key]int{}, map[string]int{}, []string{}
	// Every message of these tests has a topic of its own, so each is a current state. One statement sees one moment.
	for _, row := range query(t, data, `
		SELECT 'state' AS what, toString(client_id) AS name, toString(serial) AS serial, count() AS n FROM current_states GROUP BY ALL
		UNION ALL SELECT 'receipt', receipt, '', count() FROM client_reports FINAL WHERE receipt != '' GROUP BY ALL
		UNION ALL SELECT 'history', '', toString(uniqExact(client_id, serial)), count() FROM state_messages FINAL`) {
		switch row[0] {
		case "state":
			seen[key{row[1], number(t, row[2])}] = int(number(t, row[3]))
		case "receipt":
			arrived[row[1]] = int(number(t, row[3]))
		case "history":
			history = row[2:]
		}
	}
	faults := 0
	fault := func(format string, args ...any) {
		if faults++; faults <= 10 {
			t.Errorf(format, args...)
		}
	}
	for k, n := range seen {
		if !l.acked[k] && !l.unknown[k] {
			fault("%v is stored, but nobody sent it", k)
		}
		if n != 1 {
			fault("%v shows %d times", k, n)
		}
	}
	for k := range l.acked {
		if seen[k] == 0 {
			fault("%v was acknowledged and is not stored", k)
		}
	}
	if history[0] != history[1] || number(t, history[1]) != uint64(len(seen)) {
		fault("state_messages has %s messages in %s rows, current_states %d", history[0], history[1], len(seen))
	}
	for receipt := range l.receipts {
		if arrived[receipt] != 1 {
			fault("receipt %s counts %d times", receipt, arrived[receipt])
		}
	}
	if faults > 10 {
		t.Errorf("and %d more", faults-10)
	}
}

// query runs SQL through the command line.
func query(t testing.TB, data, sql string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(done(t, data, "--format", "csv", "sql", sql))).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if len(rows) < 2 {
		return nil
	}
	return rows[1:]
}

// ask is query for a single number.
func ask(t testing.TB, data, sql string) uint64 {
	t.Helper()
	return number(t, query(t, data, sql)[0][0])
}

func number(t testing.TB, text string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%q is no number", text)
	}
	return n
}

// clientID is the n-th client of a test.
func clientID(n int) (id smx.ClientID) {
	binary.BigEndian.PutUint64(id[:], 0x5EED_0000_0000_0000+uint64(n))
	binary.BigEndian.PutUint64(id[8:], uint64(n)*0x9E3779B97F4A7C15)
	return id
}

// report is a report of messages first to last of a client, each with a topic of its own.
func report(client int, priority int8, first, last uint64) (*smx.Report, []key) {
	id := clientID(client)
	r := &smx.Report{Header: smx.Header{Client: id, ClientInstalled: 1, ClientType: 1, Priority: priority, LCID: 1033,
		ClientVersion: "5.00.9128.1000", NetBIOSName: fmt.Sprintf("E2E-%d", client), CodePage: "437", Date: time.Now()}}
	var keys []key
	for serial := first; serial <= last; serial++ {
		r.Messages = append(r.Messages, smx.Message{Time: time.Now(), Serial: serial, TopicType: 500,
			TopicID: fmt.Sprintf("{update-%d}", serial), TopicIDType: 3, StateID: uint32(serial%3) + 1, Params: []string{"102"}})
		keys = append(keys, key{id.UUID(), serial})
	}
	return r, keys
}
