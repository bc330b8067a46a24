package explain

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Question is what is asked about a client.
type Question struct {
	Client string // its id, with or without GUID:, or its computer's name
	Topic  *Topic // nil: none in particular
	Serial uint64 // of the message to follow; 0: none
}

// Findings are all that is known of one client: sentences, and the figures beside them.
type Findings struct {
	Explanation *Explanation
	Trace       *Trace    // nil when no message was asked about
	Known       bool      // something of the client is stored, or waits in the inbox
	AsOf        time.Time // when all this was so

	Figures   Figures
	Serials   *Serials // nil when none has arrived or was claimed
	Resyncs   []Resync // the latest first, at most shownResyncs
	Tasks     []Task   // that wait, then those that ended lately
	States    []State  // the latest first, as many as a page shows
	AllStates int      // how many there are in all
}

// Figures are a client's numbers and times. A zero time is one that never was.
type Figures struct {
	FirstReport, LastReport time.Time
	LastPolicyRequest       time.Time
	Version                 string      // of its agent; empty when not known
	Arrived                 uint64      // greatest serial that arrived
	Claimed                 uint64      // greatest serial that the client says it gave out
	Unsent                  int         // states that wait on the client
	Missing, Expected       uint64      // messages; what is below serials that jumped counts in neither
	Connection              *Connection // nil on a site whose clients have none
}

// Connection is how a client is connected to the notification server, or was.
type Connection struct {
	Online bool
	Ever   bool   // it was connected at some time
	Lost   bool   // nothing is known of it: its server does not report
	By     string // TCP or HTTP
	Server string
	Since  time.Time // when it came, or was declared offline
	Reason string    // why it is offline
}

// LastSerial is the greatest serial that the site knows to exist.
func (f Figures) LastSerial() uint64 { return max(f.Arrived, f.Claimed) }

// State is what a client last said on a topic.
type State struct {
	Topic       Topic
	Title       string // of the topic id; the id itself where it has none
	TopicName   string // the catalog's name of the topic's type; empty when it has none
	ID          uint64
	Name        string // empty when the catalog has none
	Serial      uint64 // 0 for an instant message
	Raised      time.Time
	Received    time.Time
	Unconfirmed bool // the client left it out when it sent everything again
}

// shownResyncs is how many resyncs are found; the report resyncs has them all.
const shownResyncs = 4

// Find tells all that is known of a client. It answers the same errors as Explain, and ErrNoClient for a name that
// none has.
func (x *Explainer) Find(ctx context.Context, q Question) (*Findings, error) {
	id, err := x.FindClient(ctx, q.Client)
	if err != nil {
		return nil, err
	}
	e, err := x.gather(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &Findings{Known: e.known() || len(e.held.Files) > 0, AsOf: e.now, Figures: e.figures(), Serials: e.line()}
	out.Tasks = slices.Concat(e.tasks.Waiting, e.doneTasks)
	out.Resyncs = e.requests[:min(len(e.requests), shownResyncs)]
	if out.Explanation, err = x.explain(ctx, e, q.Topic); err != nil {
		return nil, err
	}
	if err := x.findStates(ctx, e, out); err != nil {
		return nil, err
	}
	if q.Serial > 0 {
		out.Trace, err = x.trace(ctx, e, q.Serial)
	}
	return out, err
}

func (e *evidence) figures() Figures {
	h := e.header
	f := Figures{
		FirstReport: h.firstReport, LastReport: h.lastReport, LastPolicyRequest: h.claimedTime, Version: h.version,
		Arrived: h.seen, Claimed: h.claimed, Unsent: h.cacheUnsent, Missing: count(e.missing()),
	}
	if p := e.presence; !e.unconnected() {
		f.Connection = &Connection{Online: p.online, Ever: p.found, Lost: p.reason == "server_lost", By: p.by(),
			Server: p.server, Since: p.since, Reason: p.reason}
	}
	if e.greatest() >= e.floor() {
		f.Expected = e.greatest() - e.floor() + 1 - count(e.jumps())
	}
	return f
}

// findStates reads what the client last said.
func (x *Explainer) findStates(ctx context.Context, e *evidence, out *Findings) error {
	params := map[string]string{"client": e.client.ID.String(), "floor": fmt.Sprint(e.confirmedFrom())}
	rows, err := x.ask(ctx, "states", params)
	if err != nil {
		return err
	}
	for _, row := range rows {
		out.AllStates = row.Count("all_states")
		out.States = append(out.States, State{
			Topic: Topic{uint32(row.Uint("topic")), row.Raw("id")}, TopicName: row.Raw("topic_name"),
			Title: row.Raw("title"), ID: row.Uint("state"), Name: row.Raw("state_name"), Serial: row.Uint("serial"),
			Raised: row.RawTime("raised"), Received: row.Time("received"), Unconfirmed: row.Uint("unconfirmed") == 1,
		})
	}
	return nil
}
