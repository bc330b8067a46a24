package manager

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"statewire/internal/topics"
	"statewire/notifier/wire"
	"statewire/store"
)

//go:embed output.sql
var outputSQL string

const (
	maxOutput = 16 << 20 // bytes of an output that is put together, whatever a client sent
	maxPieces = maxOutput / wire.OutputPiece
	maxPiece  = wire.OutputPiece * 2 // in base64, with room
)

// piece is a part of an output, as its state message has it.
type piece struct {
	text   string
	pieces int // there are, in all
	size   int // of the whole
}

// wholeOutput puts together the output of a client's task that came as state messages. It is false while something of
// it is missing, and once it is kept no longer.
func wholeOutput(ctx context.Context, db *store.Store, task, client uuid.UUID) (text string, whole bool, err error) {
	found := map[int]piece{}
	args := []any{store.UUIDArg("client", client), store.UintArg("topic", topics.ScriptResult),
		store.TextArg("task", task.String()), store.UintArg("most", maxPiece), store.UintArg("pieces", maxPieces+1)}
	err = db.EachRow(ctx, outputSQL, args, func(scan func(...any) error) error {
		var topic, text string
		var kind int32
		var params []string
		if err := scan(&topic, &kind, &text, &params); err != nil {
			return err
		}
		if number, p, ok := readPiece(topic, kind, text, params); ok {
			found[number] = p
		}
		return nil
	})
	if err != nil {
		return "", false, fmt.Errorf("read the output of task %s: %w", task, err)
	}
	text, whole = join(found)
	return text, whole, nil
}

// readPiece reads a state message with a piece; false for one that is none.
func readPiece(topic string, kind int32, text string, params []string) (number int, p piece, ok bool) {
	_, number, ok = wire.ParseOutputTopic(topic)
	if !ok || len(params) < 3 || params[0] != strconv.Itoa(number) {
		return 0, p, false
	}
	var errs [2]error
	p.pieces, errs[0] = strconv.Atoi(params[1])
	p.size, errs[1] = strconv.Atoi(params[2])
	switch kind {
	case wire.OutputText:
		p.text = text
	case wire.OutputBase64:
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return 0, p, false
		}
		p.text = string(raw)
	default:
		return 0, p, false
	}
	return number, p, errs[0] == nil && errs[1] == nil
}

// join puts pieces together, where all of them are there and of one output.
func join(found map[int]piece) (text string, whole bool) {
	first, ok := found[1]
	if !ok || first.pieces > maxPieces || first.size > maxOutput {
		return "", false
	}
	var b strings.Builder
	for number := 1; number <= first.pieces; number++ {
		p, ok := found[number]
		if !ok || p.pieces != first.pieces || p.size != first.size {
			return "", false
		}
		b.WriteString(p.text)
	}
	return b.String(), b.Len() == first.size
}

// complete puts the whole output in the place of its beginning, where it is in the store. While the store is away, the
// beginning is what there is.
func (m *Manager) complete(ctx context.Context, task, client uuid.UUID, out *wire.Output) {
	db := m.tables.Load()
	if !out.Truncated || db == nil {
		return
	}
	text, whole, err := wholeOutput(ctx, db, task, client)
	if err != nil {
		m.log.Warn("the whole output of a task cannot be read, its beginning is shown", "task", task, "client", client,
			"err", err)
	}
	if err != nil || !whole {
		return
	}
	text = wire.Cut(text, int(min(m.settings.Load().Tasks.OutputLimit, maxOutput)))
	out.Text, out.Truncated = strings.ToValidUTF8(text, "\uFFFD"), uint64(len(text)) < out.Size
}
