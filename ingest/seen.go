package ingest

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"statewire/smx"
)

const (
	// flagSerialJump marks a message whose serial is more than serialJump above the greatest one seen of its client.
	flagSerialJump uint8 = 1 << 7
	serialJump           = 1_000_000
	// clientsPerQuery bounds the ids in one look-up: a parameter of about 190 KB.
	clientsPerQuery = 5000
)

// seen tells new messages from copies. It remembers the greatest serial stored of every client (24 bytes each): a message
// above it is new, and only what comes at or below it has to be looked up. The counts are exact while this loader is the
// store's only one; what is stored never depends on them.
type seen struct {
	top     map[smx.ClientID]uint64
	loaded  bool
	pending map[smx.ClientID]uint64 // of the batch being stored
}

func newSeen() *seen {
	return &seen{top: map[smx.ClientID]uint64{}, pending: map[smx.ClientID]uint64{}}
}

// message is what makes two messages of a client copies of each other.
type message struct {
	client smx.ClientID
	serial uint64
}

// account says how many messages of the batch are new, copies, or in conflict with a stored one, and flags serials that jump.
func (s *seen) account(ctx context.Context, conn driver.Conn, b *batch) (outcome, error) {
	if err := s.load(ctx, conn); err != nil {
		return outcome{}, err
	}
	clear(s.pending)
	suspects := s.sift(&b.rows)
	out := outcome{stored: b.rows.Len() - len(suspects)}
	if len(suspects) == 0 {
		return out, nil
	}
	have, err := lookUp(ctx, conn, &b.rows, suspects)
	if err != nil {
		return outcome{}, err
	}
	for _, i := range suspects {
		key := message{b.rows.Reports[b.rows.Report[i]].Client, b.rows.Serial[i]}
		hashes := have[key]
		switch {
		case hashes[b.rows.Hash[i]]:
			out.duplicates++
			continue
		case len(hashes) > 0 && key.serial != 0:
			out.conflicts++
		}
		hashes[b.rows.Hash[i]] = true
		out.stored++
	}
	return out, nil
}

// keep remembers the serials of the batch that was just stored.
func (s *seen) keep() {
	for client, serial := range s.pending {
		s.top[client] = serial
	}
}

// load reads the greatest serial of every client, once.
func (s *seen) load(ctx context.Context, conn driver.Conn) error {
	if s.loaded {
		return nil
	}
	rows, err := conn.Query(ctx, "SELECT client_id, max(last_serial) FROM serial_ranges GROUP BY client_id")
	if err != nil {
		return fmt.Errorf("read the greatest serial of every client: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var top uint64
		if err := rows.Scan(&id, &top); err != nil {
			return fmt.Errorf("read the greatest serial of every client: %w", err)
		}
		s.top[smx.ClientID(id)] = top
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the greatest serial of every client: %w", err)
	}
	s.loaded = true
	return nil
}

// sift returns the messages that may be copies: those at or below the greatest serial seen, and those without a serial.
func (s *seen) sift(rows *smx.Batch) []int {
	var suspects []int
	for r := range rows.Reports {
		report := &rows.Reports[r]
		top := max(s.top[report.Client], s.pending[report.Client])
		for i := report.FirstMessage; i < report.FirstMessage+report.Messages; i++ {
			serial := rows.Serial[i]
			if serial <= top {
				suspects = append(suspects, i)
				continue
			}
			if serial-top > serialJump {
				rows.Flags[i] |= flagSerialJump
			}
			top = serial
		}
		s.pending[report.Client] = top
	}
	return suspects
}

// lookUp returns, for every suspect's client and serial, the hashes of what is stored or stands in the batch before any suspect.
func lookUp(ctx context.Context, conn driver.Conn, rows *smx.Batch, suspects []int) (map[message]map[uint64]bool, error) {
	have := make(map[message]map[uint64]bool, len(suspects))
	clients := map[smx.ClientID]bool{}
	suspect := make(map[int]bool, len(suspects))
	low, high := ^uint64(0), uint64(0)
	for _, i := range suspects {
		key := message{rows.Reports[rows.Report[i]].Client, rows.Serial[i]}
		if have[key] == nil {
			have[key] = map[uint64]bool{}
		}
		clients[key.client], suspect[i] = true, true
		low, high = min(low, key.serial), max(high, key.serial)
	}
	for i, serial := range rows.Serial {
		if hashes := have[message{rows.Reports[rows.Report[i]].Client, serial}]; hashes != nil && !suspect[i] {
			hashes[rows.Hash[i]] = true
		}
	}
	ids := make([]uuid.UUID, 0, clientsPerQuery)
	for client := range clients {
		if ids = append(ids, uuid.UUID(client)); len(ids) == cap(ids) {
			if err := stored(ctx, conn, ids, low, high, have); err != nil {
				return nil, err
			}
			ids = ids[:0]
		}
	}
	return have, stored(ctx, conn, ids, low, high, have)
}

// stored adds the hashes of what the store holds of these clients between two serials.
func stored(ctx context.Context, conn driver.Conn, clients []uuid.UUID, low, high uint64, have map[message]map[uint64]bool) error {
	if len(clients) == 0 {
		return nil
	}
	const sql = "SELECT client_id, serial, payload_hash FROM state_messages WHERE client_id IN $1 AND serial BETWEEN $2 AND $3"
	rows, err := conn.Query(ctx, sql, clients, low, high)
	if err != nil {
		return fmt.Errorf("look for copies of messages: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var serial, hash uint64
		if err := rows.Scan(&id, &serial, &hash); err != nil {
			return fmt.Errorf("look for copies of messages: %w", err)
		}
		if hashes := have[message{smx.ClientID(id), serial}]; hashes != nil {
			hashes[hash] = true
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("look for copies of messages: %w", err)
	}
	return nil
}
