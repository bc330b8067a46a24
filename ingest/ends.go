package ingest

import (
	"time"

	"github.com/google/uuid"

	"statewire/inbox"
	"statewire/smx"
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
func (e *ends) replayed(b inbox.BadFile, as string, messages int) {
	again := min(b.Number, messages)
	e.add(b, howReplayed, as, "", "", again, b.Number-again)
}

// dropped ends a file that nobody will see again.
func (e *ends) dropped(b inbox.BadFile, how, by, why string) {
	e.add(b, how, "", by, why, 0, b.Number)
}

func (e *ends) add(b inbox.BadFile, how, as, by, why string, replayed, dropped int) {
	client, _ := smx.ParseClientID(b.Reason.Client) // none for a file that nobody can read
	received := b.Reason.Received
	if received.IsZero() {
		received = b.Until()
	}
	e.names, e.hows, e.codes = append(e.names, b.Name), append(e.hows, how), append(e.codes, b.Reason.Code)
	e.as, e.by, e.whys = append(e.as, as), append(e.by, by), append(e.whys, why)
	e.until, e.received = append(e.until, b.Until()), append(e.received, received)
	e.clients, e.bytes = append(e.clients, uuid.UUID(client)), append(e.bytes, uint64(b.Size))
	e.records = append(e.records, uint32(b.Number))
	e.replayedCount, e.droppedCount = append(e.replayedCount, uint32(replayed)), append(e.droppedCount, uint32(dropped))
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
		blocks: [][]any{{e.names, e.until, e.received, e.hows, e.clients, e.codes, e.records, e.replayedCount, e.droppedCount, e.bytes,
			e.as, e.by, e.whys, times}},
	}
}
