package wire

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

const (
	// MaxInline bounds the output that a response carries; a longer one carries its first FirstInline bytes.
	MaxInline   = 32 << 10
	FirstInline = 4 << 10

	// ReturnTaken and ReturnRefused say whether a client takes a task on.
	ReturnTaken   = 1
	ReturnRefused = 0

	responseRoot = "BgbResponseMessage"
)

// ResponseMessage is what a client says of a task: that it keeps it or runs it (frame Received), or how it ended (frame
// Response).
type ResponseMessage struct {
	Time     time.Time // by the client's clock, as all others
	Push     uint64    // the delivery that it answers; 0: none
	TaskID   uint64    // 0 where the task could not be read
	Task     uuid.UUID
	Step     Step
	Code     string // why it was refused or failed: no_pack, bad_parameter KeepDays, timeout, …; empty otherwise
	Detail   string // the same for people
	ExitCode int32
	Started  time.Time // zero: not yet
	Finished time.Time
	Output   Output
}

// Output is what a task wrote.
type Output struct {
	Size      uint64 // of all it wrote, in bytes
	Truncated bool   // Text is the beginning
	Text      string // valid UTF-8
}

// Encode writes the message. Return code, push and task stand first, as they always did.
func (m ResponseMessage) Encode() []byte {
	w := newWriter(responseRoot)
	w.time("TimeStamp", m.Time)
	returned := uint64(ReturnTaken)
	if m.Step == StepRefused {
		returned = ReturnRefused
	}
	w.element("PushID", numberText(m.Push))
	w.element("TaskID", numberText(m.TaskID))
	w.element("ReturnCode", numberText(returned))
	w.element("TaskGUID", m.Task.String())
	w.element("Step", string(m.Step))
	if m.Code != "" {
		w.element("Code", Cut(m.Code, MaxWhyBytes))
	}
	if m.Detail != "" {
		w.element("Detail", Cut(m.Detail, MaxWhyBytes))
	}
	w.element("ExitCode", fmt.Sprint(m.ExitCode))
	if !m.Started.IsZero() {
		w.element("Started", timeText(m.Started))
	}
	if !m.Finished.IsZero() {
		w.element("Finished", timeText(m.Finished))
	}
	m.Output.write(w)
	return w.end(responseRoot)
}

// write writes the output as it is, or in base64 where XML could not carry it so.
func (o Output) write(w *writer) {
	if o == (Output{}) {
		return
	}
	w.open("Output")
	w.number("Size", o.Size)
	w.attr("Truncated", fmt.Sprint(o.Truncated))
	if carried(o.Text) {
		w.b.WriteString("><![CDATA[" + o.Text + "]]></Output>\n")
		return
	}
	w.attr("Encoding", "base64")
	w.content(base64.StdEncoding.EncodeToString([]byte(o.Text)))
}

// carried says whether a text comes out of a document as it went in.
func carried(text string) bool {
	if strings.Contains(text, "]]>") {
		return false
	}
	for _, r := range text {
		if r < ' ' && r != '\t' && r != '\n' || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF {
			return false
		}
	}
	return true
}

func (e *element) output() (o Output) {
	o.Size = e.number("Size", 1<<62)
	o.Truncated = e.flag("Truncated")
	o.Text = e.body
	switch coding := e.attrs["Encoding"]; coding {
	case "":
	case "base64":
		raw, err := base64.StdEncoding.Strict().DecodeString(e.body)
		if err != nil || !utf8.Valid(raw) {
			e.fail("an Output that is not base64 of text")
		}
		o.Text = string(raw)
	default:
		e.fail("Encoding of Output is %.20q; allowed is base64", coding)
	}
	if len(o.Text) > MaxInline {
		e.fail("an Output of %d bytes; allowed are %d", len(o.Text), MaxInline)
	}
	return o
}

// DecodeResponse reads the message.
func DecodeResponse(data []byte) (m ResponseMessage, err error) {
	r, err := newReader(data, responseRoot)
	if err != nil {
		return m, err
	}
	m.Time = r.root.time("TimeStamp")
	seen := map[string]bool{}
	err = r.all(func(name string, e *element) error {
		if seen[name] {
			return fmt.Errorf("%s comes twice", name)
		}
		if known := m.take(name, e); known {
			seen[name] = true
		}
		return e.err
	})
	for _, name := range []string{"PushID", "TaskID", "TaskGUID", "Step"} {
		if err == nil && !seen[name] {
			err = fmt.Errorf("%s is missing", name)
		}
	}
	return m, wrap("response", r.root, err)
}

// take reads one element of a response; false: this version does not know it.
func (m *ResponseMessage) take(name string, e *element) bool {
	switch name {
	case "PushID":
		m.Push = e.bodyNumber(name, 1<<62)
	case "TaskID":
		m.TaskID = e.bodyNumber(name, 1<<62)
	case "ReturnCode": // the step says it
		e.bodyNumber(name, 1<<31)
	case "TaskGUID":
		m.Task = e.parseUUID(name, e.body)
	case "Step":
		if m.Step = Step(e.body); !m.Step.Known() || m.Step == StepQueued || m.Step == StepPushed {
			e.fail("Step is %.40q, which is none that a client says", e.body)
		}
	case "Code":
		m.Code = e.bodyText(name, MaxWhyBytes)
	case "Detail":
		m.Detail = e.bodyText(name, MaxWhyBytes)
	case "ExitCode":
		m.ExitCode = e.bodySigned(name)
	case "Started":
		m.Started = e.parseTime(name, e.body)
	case "Finished":
		m.Finished = e.parseTime(name, e.body)
	case "Output":
		m.Output = e.output()
	default:
		return false
	}
	return true
}
