package wire

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	// ResultsExtension ends the name of a result file.
	ResultsExtension = ".BTS"
	// MaxResults bounds the clients of one result file.
	MaxResults = 50_000

	resultsRoot = "BgbTaskStatus"
)

// Result is how far a client is with a task, as its server knows it.
type Result struct {
	Task     uuid.UUID
	TaskID   uint64
	Push     uint64 // the last delivery
	Client   uuid.UUID
	Step     Step
	Code     string // why it was refused or failed
	Detail   string
	ExitCode int32
	Pushed   time.Time // when its frame was last written; zero: by this server never
	Received time.Time // when the client said so, by the server's clock
	Started  time.Time // by the client's clock
	Finished time.Time // by the client's clock
	Pushes   uint64    // how often it was pushed by this server
	Output   Output
}

// Results is one result file, or what a server tells at once: its next file tells it again.
type Results struct {
	Server   string
	ServerID uint32
	Epoch    uint64
	Version  uint64 // counts the server's result files; 0 when told at once
	Time     time.Time
	Results  []Result
	Dropped  []Dropped // told at once alone
}

// Dropped is a push, or a cancellation, that the server does not have any more and did not write, or not whole. The
// manager may hand the task out again: when the client signs in anew.
type Dropped struct {
	Push uint64
	Why  string
}

// Why a push was dropped.
const (
	DroppedAway      = "away"      // its client is not connected here
	DroppedExpired   = "expired"   // its time is over
	DroppedDuplicate = "duplicate" // several machines have its client's identity
	DroppedCancelled = "cancelled" // before it was written
	DroppedReplaced  = "replaced"  // by a later push of the same task to the same client
	DroppedUnwritten = "unwritten" // the connection ended, or did not take it
)

// Encode writes the file: the clients of a task stand together.
func (p Results) Encode() []byte {
	w := newWriter(resultsRoot)
	w.attr("Format", "1")
	w.attr("Server", Cut(p.Server, maxText))
	w.number("ServerID", uint64(p.ServerID))
	w.number("Epoch", p.Epoch)
	w.number("Version", p.Version)
	w.time("Time", p.Time)
	for first := 0; first < len(p.Results); {
		last := first + 1
		for last < len(p.Results) && sameTask(&p.Results[last], &p.Results[first]) {
			last++
		}
		writeTask(w, p.Results[first:last])
		first = last
	}
	return w.end(resultsRoot)
}

// sameTask says whether two results stand together: a client says the number of a task, too, and may say another.
func sameTask(a, b *Result) bool { return a.Task == b.Task && a.TaskID == b.TaskID }

func writeTask(w *writer, results []Result) {
	push, failed := uint64(0), 0
	for i := range results {
		if push = max(push, results[i].Push); results[i].Step == StepRefused {
			failed++
		}
	}
	w.open("Task")
	w.number("PushID", push)
	w.number("TaskID", results[0].TaskID)
	w.attr("TaskGUID", results[0].Task.String())
	w.number("ReportedClients", uint64(len(results)))
	w.number("FailedClients", uint64(failed))
	w.b.WriteString(">\n")
	for i := range results {
		results[i].write(w)
	}
	w.b.WriteString(" </Task>\n")
}

func (r *Result) write(w *writer) {
	w.open("Client")
	w.attr("ID", clientText(r.Client))
	w.attr("Step", string(r.Step))
	returned := uint64(ReturnTaken)
	if r.Step == StepRefused {
		returned = ReturnRefused
	}
	w.number("ReturnCode", returned)
	w.attr("ExitCode", fmt.Sprint(r.ExitCode))
	w.given("Code", Cut(r.Code, MaxWhyBytes))
	w.given("Detail", Cut(r.Detail, MaxWhyBytes))
	w.number("PushID", r.Push)
	w.number("PushCount", r.Pushes)
	for _, t := range []struct {
		name string
		at   time.Time
	}{{"Pushed", r.Pushed}, {"Received", r.Received}, {"Started", r.Started}, {"Finished", r.Finished}} {
		if !t.at.IsZero() {
			w.time(t.name, t.at)
		}
	}
	if r.Output == (Output{}) {
		w.empty()
		return
	}
	w.b.WriteString(">")
	r.Output.write(w)
	w.b.WriteString("  </Client>\n")
}

// DecodeResults reads a file. A client that cannot be read is told, and the others count; the error says why the file
// as a whole cannot be used.
func DecodeResults(data []byte) (p Results, bad []BadRow, err error) {
	if len(data) > MaxReportBytes {
		return p, nil, fmt.Errorf("read a result file: %d bytes; allowed are %d", len(data), MaxReportBytes)
	}
	r, err := newReader(data, resultsRoot)
	if err != nil {
		return p, nil, err
	}
	p.head(r.root)
	rows := 0
	err = r.each("Task", func(task *element) error {
		if task.err != nil {
			return task.err
		}
		of := Result{TaskID: task.number("TaskID", 1<<62), Task: task.uuid("TaskGUID")}
		if task.err != nil { // none of its clients can be known
			rows++
			bad = append(bad, BadRow{rows, task.raw, task.err.Error()})
			return nil
		}
		return task.inner("Client", func(e *element) error {
			if rows++; rows > MaxResults {
				return fmt.Errorf("more than %d clients", MaxResults)
			}
			row := of
			if row.read(e); e.err != nil {
				bad = append(bad, BadRow{rows, e.raw, e.err.Error()})
				return nil
			}
			p.Results = append(p.Results, row)
			return nil
		})
	})
	if err := wrap("result file", r.root, err); err != nil {
		return Results{}, nil, err
	}
	return p, bad, nil
}

func (p *Results) head(root *element) {
	if format := root.attrs["Format"]; format != "1" {
		root.fail("Format is %.20q; this program reads 1", format)
	}
	if p.Server = root.text("Server", maxText); p.Server == "" {
		root.fail("Server is missing")
	}
	p.ServerID = uint32(root.number("ServerID", 1<<32-1))
	p.Epoch, p.Version = root.number("Epoch", 1<<62), root.number("Version", 1<<62)
	p.Time = root.time("Time")
	if p.ServerID == 0 || p.Epoch == 0 || p.Version == 0 {
		root.fail("ServerID, Epoch and Version begin at 1")
	}
}

func (r *Result) read(e *element) {
	r.Client = e.client("ID")
	if r.Step = Step(e.attrs["Step"]); !r.Step.Known() || r.Step == StepQueued {
		e.fail("Step is %.40q, which is none that a server says", e.attrs["Step"])
	}
	r.ExitCode = e.signed("ExitCode")
	r.Code, r.Detail = e.text("Code", MaxWhyBytes), e.text("Detail", MaxWhyBytes)
	r.Push, r.Pushes = e.number("PushID", 1<<62), e.number("PushCount", 1<<62)
	r.Pushed, r.Received = e.givenTime("Pushed"), e.givenTime("Received")
	r.Started, r.Finished = e.givenTime("Started"), e.givenTime("Finished")
	err := e.inner("Output", func(o *element) error {
		r.Output = o.output()
		return o.err
	})
	if err != nil {
		e.fail("%v", err)
	}
}

// ResultsName is a new name for a result file.
func ResultsName() string { return boxName() + ResultsExtension }
