package ingest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"statewire/internal/serials"
	"statewire/smx"
)

const (
	// flagSerialJump marks a message whose serial is more than serials.Jump above the greatest one seen of its client.
	flagSerialJump uint8 = 1 << 7
	// serialsPerQuery bounds one look-up, and lookUpBytes its text.
	serialsPerQuery = 20_000
	lookUpBytes     = 4 << 20
)

// seen tells new messages from copies. It remembers of every client which serials may be stored, so that only copies
// and what came before this process started have to be looked up. The counts are exact while this loader is the store's
// only one; what is stored never depends on them.
type seen struct {
	runs   runs
	loaded bool
}

func newSeen() *seen { return &seen{runs: newRuns()} }

// outcome is what became of a batch's messages.
type outcome struct{ stored, duplicates, conflicts int }

func (o outcome) plus(other outcome) outcome {
	return outcome{o.stored + other.stored, o.duplicates + other.duplicates, o.conflicts + other.conflicts}
}

// serial names a message of a client; a message without a serial has 0.
type serial struct {
	client smx.ClientID
	number uint64
}

// compare orders serials as the store does, so that one look-up reads one stretch of it: by the second half of the id,
// then by the first.
func (s serial) compare(other serial) int {
	return cmp.Or(bytes.Compare(s.client[8:], other.client[8:]), bytes.Compare(s.client[:8], other.client[:8]),
		cmp.Compare(s.number, other.number))
}

// suspect is a row that may be a copy.
type suspect struct {
	part *part
	row  int
}

func (s suspect) key() serial {
	return serial{s.part.rows.Reports[s.part.rows.Report[s.row]].Client, s.part.rows.Serial[s.row]}
}

// versions are the stored flags of the different messages under one serial, by payload hash.
type versions map[uint64]uint8

// account says how many messages of the batch are new, copies, or in conflict with another, and flags serials that
// jump. Asking again about a batch that was not stored gives the same answer.
func (s *seen) account(ctx context.Context, conn driver.Conn, b batch) (outcome, error) {
	if err := s.load(ctx, conn); err != nil {
		return outcome{}, err
	}
	suspects := s.sift(b)
	out := outcome{stored: b.size().rows - len(suspects)}
	if len(suspects) == 0 {
		return out, nil
	}
	have, err := lookUp(ctx, conn, b, suspects)
	if err != nil {
		return outcome{}, err
	}
	for _, s := range suspects {
		out.add(s, have[s.key()])
	}
	return out, nil
}

// add counts a suspect, given what is stored or came before it under its serial.
func (o *outcome) add(s suspect, have versions) {
	rows := &s.part.rows
	flags, copied := have[rows.Hash[s.row]]
	switch {
	case copied:
		rows.Flags[s.row] |= flags & flagSerialJump // a copy must not take the mark away
		o.duplicates++
		return
	case len(have) > 0 && rows.Serial[s.row] != 0:
		o.conflicts++
	}
	have[rows.Hash[s.row]] = rows.Flags[s.row]
	o.stored++
}

// load reads the greatest serial of every client, once.
func (s *seen) load(ctx context.Context, conn driver.Conn) error {
	if s.loaded {
		return nil
	}
	const doing = "read the greatest serial of every client: %w"
	rows, err := conn.Query(ctx, "SELECT client_id, max(last_serial) FROM client_stats_data GROUP BY client_id")
	if err != nil {
		return fmt.Errorf(doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var greatest uint64
		if err := rows.Scan(&id, &greatest); err != nil {
			return fmt.Errorf(doing, err)
		}
		s.runs.startAt(smx.ClientID(id), greatest)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf(doing, err)
	}
	s.loaded = true
	return nil
}

// sift adds the batch's serials to what is seen and returns the messages that may be copies: those whose serial was
// seen, and those without one.
func (s *seen) sift(b batch) (suspects []suspect) {
	for r := range b.reports() {
		client, rows := s.runs.of(r.Client), &r.part.rows
		for i := r.FirstMessage; i < r.FirstMessage+r.Messages; i++ {
			number, top := rows.Serial[i], client.top.Last
			if number == 0 || !client.add(number) {
				suspects = append(suspects, suspect{r.part, i})
			} else if serials.Jumps(number, top) {
				rows.Flags[i] |= flagSerialJump
			}
		}
		s.runs.keep(r.Client, client)
	}
	return suspects
}

// lookUp returns, for every serial of the suspects, which stand in the order of the batch, what is stored or stands in
// the batch before any suspect.
func lookUp(ctx context.Context, conn driver.Conn, b batch, suspects []suspect) (map[serial]versions, error) {
	have := map[serial]versions{}
	var wanted []serial
	for _, s := range suspects {
		if key := s.key(); have[key] == nil {
			have[key] = versions{}
			wanted = append(wanted, key)
		}
	}
	for _, p := range b {
		for i := p.messages().from; i < p.messages().to; i++ {
			s := suspect{p.part, i}
			if len(suspects) > 0 && suspects[0] == s {
				suspects = suspects[1:]
			} else if found := have[s.key()]; found != nil {
				found[p.rows.Hash[i]] = p.rows.Flags[i]
			}
		}
	}
	slices.SortFunc(wanted, serial.compare)
	for some := range slices.Chunk(wanted, serialsPerQuery) {
		if err := stored(ctx, conn, some, have); err != nil {
			return nil, err
		}
	}
	return have, nil
}

// stored adds what the store holds under some clients' serials.
func stored(ctx context.Context, conn driver.Conn, wanted []serial, have map[serial]versions) error {
	var list strings.Builder
	for _, s := range wanted {
		list.WriteString(s.client.UUID())
		list.WriteByte(',')
		list.WriteString(strconv.FormatUint(s.number, 10))
		list.WriteByte('\n')
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_query_size": lookUpBytes}))
	const doing = "look for copies of messages: %w"
	const sql = `SELECT client_id, serial, payload_hash, max(flags) FROM state_messages
		WHERE (client_id, serial) IN (SELECT client, number FROM format(CSV, 'client UUID, number UInt64', $1))
		GROUP BY client_id, serial, payload_hash`
	rows, err := conn.Query(ctx, sql, list.String())
	if err != nil {
		return fmt.Errorf(doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var number, hash uint64
		var flags uint8
		if err := rows.Scan(&id, &number, &hash, &flags); err != nil {
			return fmt.Errorf(doing, err)
		}
		if found := have[serial{smx.ClientID(id), number}]; found != nil {
			found[hash] = flags
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf(doing, err)
	}
	return nil
}
