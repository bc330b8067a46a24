package ingest

import (
	"time"

	"github.com/google/uuid"
)

// How something that was set aside came to its end.
const (
	howReplayed = "replayed"
	howDropped  = "dropped"
	howLimit    = "limit"
)

// ends are rows of set_aside_ends: how what was set aside came to its end, and who wanted it so.
type ends struct {
	names, hows, codes, as, by, whys     []string
	until, received                      []time.Time
	clients                              []uuid.UUID
	records, replayedCount, droppedCount []uint32
	bytes                                []uint64
}

// replayed ends a file with another that loaded. Records that somebody has taken out of it are dropped.
func (e *ends) replayed(f ending, as string, messages int) {
	again := min(f.records, messages)
	e.add(f, howReplayed, as, "", "", again)
}

// dropped ends a file that nobody will see again.
func (e *ends) dropped(f ending, how, by, why string) {
	e.add(f, how, "", by, why, 0)
}

func (e *ends) add(f ending, how, as, by, why string, replayed int) {
	e.names, e.hows, e.codes = append(e.names, f.Name), append(e.hows, how), append(e.codes, f.Reason.Code)
	e.as, e.by, e.whys = append(e.as, as), append(e.by, by), append(e.whys, why)
	e.until, e.received = append(e.until, f.until), append(e.received, f.received)
	e.clients, e.bytes = append(e.clients, f.client), append(e.bytes, uint64(f.Size))
	e.records = append(e.records, uint32(f.records))
	e.replayedCount, e.droppedCount = append(e.replayedCount, uint32(replayed)), append(e.droppedCount,
		uint32(f.records-replayed))
}

func (e *ends) table(now time.Time) table {
	times := make([]time.Time, len(e.names))
	for i := range times {
		times[i] = now
	}
	return table{
		name: "set_aside_ends",
		sql: `INSERT INTO set_aside_ends (name, until, received_time, how, client_id, code, records, replayed, dropped, bytes,
			replayed_as, by, reason, time)`,
		rows: len(e.names),
		blocks: [][]any{{e.names, e.until, e.received, e.hows, e.clients, e.codes, e.records, e.replayedCount, e.droppedCount,
			e.bytes,
			e.as, e.by, e.whys, times}},
	}
}
