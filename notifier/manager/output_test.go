package manager

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"statewire/identity"
	"statewire/notifier/wire"
)

// sends stores a state message with a piece of an output of client n.
func (w *tables) sends(n int, of *task, piece, pieces, size int, kind int, text string, ago int) {
	w.t.Helper()
	w.exec(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, message_us, received_time, loaded_time, topic_type,
		topic_id, state_id, params, details_type, details, source_file, payload_hash) VALUES ('%s', 0, 0,
		now64(6) - %d, now64(6), 9003, '%s', 1, ['%d', '%d', '%d'], %d, '%s', 'w', rand64())`, id(n), ago,
		wire.OutputTopic(of.ID, piece, pieces), piece, pieces, size, kind, text))
}

// What no response carries whole is put together from state messages, once all of it is there.
func TestALongOutputIsPutTogether(t *testing.T) {
	w := newTables(t)
	of := w.asks(1, 2, 3, 4)
	ends := func(n int, size uint64, truncated bool) {
		r := said(of, n, wire.StepSucceeded)
		r.Output = wire.Output{Size: size, Truncated: truncated, Text: "the beginning"}
		w.results(r)
	}
	output := func(n int) wire.Output {
		t.Helper()
		by := By{Person: identity.Person{Actor: "local:1", Role: identity.Admin}}
		s, err := w.Output(t.Context(), by, of.ID.String(), id(n))
		if err != nil {
			t.Fatal(err)
		}
		return s.Output
	}
	is := func(when string, got, want wire.Output) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %+v, want %+v", when, got, want)
		}
	}
	ends(1, 12, true)
	ends(2, 7, true)
	ends(3, 900, true)
	ends(4, 13, false)
	binary := base64.StdEncoding.EncodeToString([]byte("\x00b\xff"))
	w.sends(1, of, 1, 2, 12, wire.OutputText, "the first ", 9)
	w.sends(3, of, 1, 1, 5, wire.OutputText, "of ü", 9)
	w.sends(4, of, 1, 1, 4, wire.OutputText, "lies", 9)
	begun := wire.Output{Size: 12, Truncated: true, Text: "the beginning"}
	is("no store", output(1), begun)
	w.Manager.tables.Store(w.db)
	is("a piece is missing", output(1), begun)
	w.sends(1, of, 2, 2, 11, wire.OutputText, "!!", 9)
	is("a piece of another output", output(1), begun)
	w.sends(1, of, 2, 2, 12, wire.OutputText, "üx", 4)
	is("a piece that is too long", output(1), begun)
	w.sends(1, of, 2, 2, 12, wire.OutputText, "ü", 3)
	w.sends(1, of, 2, 2, 12, wire.OutputText, "..", 6) // an older one
	is("whole", output(1), wire.Output{Size: 12, Text: "the first ü"})
	w.sends(2, of, 1, 1, 3, wire.OutputBase64, binary, 9)
	w.sends(2, of, 2, 2, 9, wire.OutputText, "of another", 9)
	is("more was written than is kept", output(3), wire.Output{Size: 900, Truncated: true, Text: "of ü"})
	is("what XML does not carry", output(2), wire.Output{Size: 7, Truncated: true, Text: "\x00b\uFFFD"})
	live := *w.settings.Load()
	live.Tasks.OutputLimit = 12
	w.Configure(live)
	is("no more than is to be shown", output(1), wire.Output{Size: 12, Text: "the first ü"})
	live.Tasks.OutputLimit = 11
	w.Configure(live)
	is("no more than is to be shown, and whole characters", output(1), wire.Output{Size: 12, Truncated: true,
		Text: "the first "})
	is("an output that is whole", output(4), wire.Output{Size: 13, Text: "the beginning"})
}

func TestPiecesThatAreNone(t *testing.T) {
	one := piece{"a", 1, 1}
	task := "0f3e0000-0000-4000-8000-000000000001"
	for _, c := range []struct {
		topic string
		kind  int32
		text  string
		said  []string
		ok    bool
	}{
		{task, 1, "a", []string{"1", "1", "1"}, true}, {task, 2, "YQ==", []string{"1", "1", "1"}, true},
		{task, 2, "a", []string{"1", "1", "1"}, false}, {task, 3, "a", []string{"1", "1", "1"}, false},
		{task, 1, "a", []string{"1", "1"}, false}, {task, 1, "a", []string{"2", "1", "1"}, false},
		{task, 1, "a", []string{"1", "x", "1"}, false}, {task, 1, "a", []string{"1", "1", "x"}, false},
		{"other", 1, "a", []string{"1", "1", "1"}, false},
	} {
		if n, p, ok := readPiece(c.topic, c.kind, c.text, c.said); ok != c.ok || ok && (n != 1 || p != one) {
			t.Errorf("%v: %d %+v %t", c, n, p, ok)
		}
	}
	huge := map[int]piece{1: {"a", maxPieces + 1, maxPieces + 1}}
	for n := range maxPieces + 1 {
		huge[n+1] = piece{"a", maxPieces + 1, maxPieces + 1}
	}
	if _, whole := join(huge); whole {
		t.Error("too many pieces are put together")
	}
	if _, whole := join(map[int]piece{1: {strings.Repeat("a", maxOutput+1), 1, maxOutput + 1}}); whole {
		t.Error("a piece that is too long is put together")
	}
}
