package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"statewire/internal/control"
)

const (
	maxLineBytes   = 64 << 10 // with its end; a reader needs no more memory
	maxDetailBytes = 4 << 10
	timeFormat     = "2006-01-02T15:04:05.000Z"
	monthFormat    = "2006-01"
)

// zeros is what the first line names as the hash of the line before.
var zeros = strings.Repeat("0", 2*sha256.Size)

// Line is a line of the log: an action or, with Of, how that one went.
type Line struct {
	Seq          uint64
	Time         time.Time
	Actor        string
	Role         string
	From         string
	Action       string
	Object       string
	Targets      int
	ParamsSHA256 string // hex; empty without parameters
	Reason       string
	Of           uint64 // the Seq of the action, 0 for an action
	Outcome      string
	Detail       string
	Prev         string // hex SHA-256 of the bytes of the line before, without its line end
}

// actionLine is how the line of an action is written, in this order.
type actionLine struct {
	Seq          uint64 `json:"seq"`
	Time         string `json:"time"`
	Actor        string `json:"actor"`
	Role         string `json:"role"`
	From         string `json:"from"`
	Action       string `json:"action"`
	Object       string `json:"object"`
	Targets      int    `json:"targets"`
	ParamsSHA256 string `json:"params_sha256"`
	Reason       string `json:"reason"`
	Prev         string `json:"prev"`
}

// outcomeLine is how the line of an outcome is written, in this order.
type outcomeLine struct {
	Seq     uint64 `json:"seq"`
	Time    string `json:"time"`
	Of      uint64 `json:"of"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail"`
	Prev    string `json:"prev"`
}

// encode is a line with its end.
func encode(line any) []byte {
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	_ = out.Encode(line) // of texts and numbers: it can't fail
	return text.Bytes()
}

// sumOf is the hash of a line, which is without its end.
func sumOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// decode reads a line without its end. Only what the log itself writes is a line: not one byte may be another.
func decode(text []byte) (Line, error) {
	var both struct {
		actionLine
		Of      uint64 `json:"of"`
		Outcome string `json:"outcome"`
		Detail  string `json:"detail"`
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&both); err != nil {
		return Line{}, errors.New("it is no line of the audit log")
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return Line{}, errors.New("it has bytes after its end")
	}
	var same any = both.actionLine
	if both.Of > 0 {
		same = outcomeLine{both.Seq, both.Time, both.Of, both.Outcome, both.Detail, both.Prev}
	}
	if !bytes.Equal(bytes.TrimSuffix(encode(same), []byte("\n")), text) {
		return Line{}, errors.New("it is not written as the audit log writes")
	}
	at, err := time.Parse(timeFormat, both.Time)
	if err != nil {
		return Line{}, errors.New("its time is none")
	}
	a := both.actionLine
	return Line{a.Seq, at, a.Actor, a.Role, a.From, a.Action, a.Object, a.Targets, a.ParamsSHA256, a.Reason, both.Of,
		both.Outcome, both.Detail, a.Prev}, nil
}

// entry is a line on its way to the disk.
type entry struct {
	// Constant.
	action actionLine
	of     *entry // the action of an outcome; nil for an action
	open   uint64 // the action of an outcome that this process did not begin
	said   outcomeLine
	keep   bool // it is true whether it can be written now or later

	// Guarded by Log.writing.
	seq     uint64 // once it is on the disk
	settled bool
	err     error
}

func actionEntry(a Action) *entry {
	line := actionLine{Actor: clean(a.Actor), Role: clean(a.Role), From: clean(a.From), Action: clean(a.Action),
		Object: clean(a.Object), Targets: a.Targets, Reason: clean(a.Reason)}
	if len(a.Params) > 0 {
		line.ParamsSHA256 = sumOf(a.Params)
	}
	return &entry{action: line}
}

func outcomeEntry(of *entry, outcome, detail string) *entry {
	return &entry{of: of, keep: true, said: outcomeLine{Outcome: short(outcome), Detail: short(detail)}}
}

// unknownEntry is the outcome of an action of a process that ended.
func unknownEntry(open uint64) *entry {
	return &entry{open: open, keep: true,
		said: outcomeLine{Outcome: Unknown, Detail: "the process ended before it was known"}}
}

// isOutcome says whether the line is of an outcome.
func (e *entry) isOutcome() bool { return e.of != nil || e.open > 0 }

// line is the text with its end.
func (e *entry) line(seq uint64, at time.Time, prev string) []byte {
	stamp := at.UTC().Format(timeFormat)
	if !e.isOutcome() {
		line := e.action
		line.Seq, line.Time, line.Prev = seq, stamp, prev
		return encode(line)
	}
	line := e.said
	line.Seq, line.Time, line.Prev, line.Of = seq, stamp, prev, e.open
	if e.of != nil {
		line.Of = e.of.seq
	}
	return encode(line)
}

// fits refuses an action whose line no reader takes.
func (e *entry) fits() error {
	const most = ^uint64(0)
	if n := len(e.line(most, time.Unix(0, 0), zeros)); n > maxLineBytes {
		return control.Invalid("the record of %s would have %d bytes, %d is the most: give a shorter reason",
			short(e.action.Action), n, maxLineBytes)
	}
	return nil
}

// clean is text that reads the same after it was written.
func clean(text string) string { return strings.ToValidUTF8(text, string(utf8.RuneError)) }

// short is as much of a text as an outcome says.
func short(text string) string {
	if text = clean(text); len(text) <= maxDetailBytes {
		return text
	}
	return fmt.Sprintf("%s…", strings.ToValidUTF8(text[:maxDetailBytes-len("…")], ""))
}
