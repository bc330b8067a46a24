package explain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/serials"
	"statewire/reports"
)

// MaxSerial is the greatest serial a message may have.
const MaxSerial = 1 << 62

// Trace is one message's way from the client to the store, or what is known of one that never arrived.
type Trace struct {
	Client  Client `json:"client"`
	Serial  uint64 `json:"serial"`
	Verdict string `json:"verdict" enum:"current,superseded,conflict,set_aside,dropped,waiting,missing,closed,not_assigned,unknown_client" doc:"What became of it"`
	Summary string `json:"summary"`
	Hops    []Hop  `json:"hops"`
	Next    []Step `json:"next" doc:"What happens next, when the message has not arrived"`
}

// Hop is one place on the way.
type Hop struct {
	Where    string     `json:"where" enum:"client,agent,relay,inbox,loader,store,site"`
	Code     string     `json:"code" doc:"Stable name of what happened there"`
	Text     string     `json:"text"`
	Time     *time.Time `json:"time,omitempty"`
	Severity Severity   `json:"severity" enum:"ok,note,warning,problem"`
	Version  int        `json:"version,omitempty" doc:"Which of several messages under one serial; absent when there is one"`
	File     string     `json:"file,omitempty"`
	Receipt  string     `json:"receipt,omitempty"`
}

// ErrSerial is returned for a serial that no message can have.
var ErrSerial = errors.New("serials are whole numbers from 1 to 4611686018427387904; instant messages have none and " +
	"can't be traced")

// Trace follows one message of a client, named as for Explain.
func (x *Explainer) Trace(ctx context.Context, client string, serial uint64) (*Trace, error) {
	if serial == 0 || serial > MaxSerial {
		return nil, ErrSerial
	}
	id, err := x.FindClient(ctx, client)
	if err != nil {
		return nil, err
	}
	e, err := x.gather(ctx, id)
	if err != nil {
		return nil, err
	}
	return x.trace(ctx, e, serial)
}

// trace follows one message of a client whose evidence is in hand.
func (x *Explainer) trace(ctx context.Context, e *evidence, serial uint64) (*Trace, error) {
	t := &tracer{evidence: e, serial: serial}
	if err := x.follow(ctx, t); err != nil {
		return nil, err
	}
	t.tell()
	return &t.out, nil
}

// tracer collects what is known of one message, then tells it.
type tracer struct {
	*evidence
	serial uint64

	versions     []version
	aside        []asideRecord // of this serial
	asideReports []reportRow   // that came when the latest of them did
	carriers     []reportRow   // reports that span the serial
	was          []missingRange
	neighbours   map[string]neighbour
	kept         *version // the current state it left, when the message itself is no longer stored
	agent        []AgentEvent

	out Trace
	nth int // the version being told; 0 when there is one
}

// version is a message under the serial: usually the only one.
type version struct {
	hash                     uint64
	rawTopic                 Topic
	topic, state             string
	raised, received, loaded time.Time
	raisedMicros             int64
	file, receipt            string
	made                     time.Time // when the report was made, by the client's clock; zero when that is not known
	suspect                  bool      // raised can't be right: its clock was wrong
	jumped                   bool      // its serial was far above all others
	latest                   uint64    // serial of the topic's current state
	latestState              string
	latestTime               time.Time
}

type neighbour struct {
	serial           uint64
	received, loaded time.Time
	file             string
}

// follow reads what is stored around one serial.
func (x *Explainer) follow(ctx context.Context, t *tracer) error {
	params := func(more ...string) map[string]string {
		out := map[string]string{"client": t.client.ID.String(), "serial": fmt.Sprint(t.serial)}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	for _, part := range []struct {
		query  string
		params map[string]string
		read   func([]reports.Record)
	}{
		{"versions", params(), t.readVersions},
		{"aside", params(), t.readAsideHere},
		{"carriers", params(), func(rows []reports.Record) { t.carriers = carrierRows(rows) }},
		{"ranges", params("most", "100"), t.readWas},
		{"neighbours", params(), t.readNeighbours},
		{"bad-files", params("until", micros(t.noticed(serials.Run{First: t.serial, Last: t.serial}))), t.readBadFiles},
	} {
		rows, err := x.ask(ctx, part.query, part.params)
		if err != nil {
			return err
		}
		part.read(rows)
	}
	for i := range t.versions {
		if err := x.followVersion(ctx, t, &t.versions[i]); err != nil {
			return err
		}
	}
	if len(t.versions) == 0 && len(t.aside) > 0 {
		rows, err := x.ask(ctx, "report", map[string]string{"client": t.client.ID.String(),
			"at": micros(t.aside[0].received)})
		if err != nil {
			return err
		}
		t.asideReports = reportRows(rows)
	}
	if len(t.versions) == 0 {
		rows, err := x.ask(ctx, "kept", params())
		if err != nil {
			return err
		}
		if err := x.followKept(ctx, t, rows); err != nil {
			return err
		}
	}
	return x.askAgent(ctx, t)
}

// followKept finds the state that a message left when the message itself is no longer stored.
func (x *Explainer) followKept(ctx context.Context, t *tracer, rows []reports.Record) error {
	if len(rows) == 0 {
		return nil
	}
	topic := Topic{uint32(rows[0].Uint("topic")), rows[0].Raw("id")}
	now, err := x.topicNow(ctx, t, topic)
	t.kept = &version{topic: now.title, state: now.state, raised: now.raised, received: now.received}
	return err
}

// topicNow is what a topic of the client is in.
func (x *Explainer) topicNow(ctx context.Context, t *tracer, topic Topic) (topicRow, error) {
	rows, err := x.ask(ctx, "topic", map[string]string{"client": t.client.ID.String(), "type": fmt.Sprint(topic.Type),
		"id": topic.ID})
	return readTopic(rows, topic), err
}

// followVersion finds the report that brought a message, and what its topic is in now.
func (x *Explainer) followVersion(ctx context.Context, t *tracer, v *version) error {
	rows, err := x.ask(ctx, "report", map[string]string{"client": t.client.ID.String(), "at": micros(v.received)})
	if err != nil {
		return err
	}
	for _, row := range reportRows(rows) {
		if row.file == v.file {
			v.made = row.made
		}
	}
	now, err := x.topicNow(ctx, t, v.rawTopic)
	v.latest, v.latestState, v.latestTime = now.serial, now.state, now.received
	return err
}

// askAgent asks this machine's own agent. One that does not answer is no error: the site's own knowledge is told
// anyway.
func (x *Explainer) askAgent(ctx context.Context, t *tracer) error {
	if x.agentLog == nil {
		return nil
	}
	events, err := x.agentLog(ctx, t.client.ID, t.serial)
	if err != nil {
		x.log.Debug("ask this machine's agent for a message", "err", err)
		return nil
	}
	t.agent = events
	return nil
}

// counts is the version that the site goes by on the topic of one: the later message time, then the greater hash.
// Messages on other topics don't take part: each topic has a current state of its own.
func (t *tracer) counts(one int) int {
	best := one
	for i, v := range t.versions {
		b := t.versions[best]
		if v.rawTopic == b.rawTopic && cmp.Or(cmp.Compare(v.raisedMicros, b.raisedMicros), cmp.Compare(v.hash, b.hash)) > 0 {
			best = i
		}
	}
	return best
}

// subject names the message in a sentence.
func (t *Trace) subject() string {
	return fmt.Sprintf("Message %s of %s", humanize.Number(t.Serial), t.Client.Called())
}

// isCopy says that a report that spans the serial is not the one that brought the message first.
func (v version) isCopy(c reportRow) bool { return !c.received.Equal(v.received) || c.file != v.file }

// asked are the resyncs that ask for the message, the earliest first: those that were issued when it was missing.
func (t *tracer) asked() []Resync {
	var out []Resync
	for _, q := range t.requests {
		if q.NextSerial > t.serial && !(q.Reached == Completed && t.serial >= t.floor()) {
			out = append(out, q)
		}
	}
	slices.Reverse(out)
	return out
}

// missingSince is when a gap check first saw the message missing, and when it was seen to have come or closed.
func (t *tracer) missingSince() (detected, closed time.Time) {
	open := false
	for _, w := range t.was {
		if detected.IsZero() || w.detected.Before(detected) {
			detected = w.detected
		}
		if w.closed {
			closed = later(closed, w.checked)
		}
		open = open || !w.closed
	}
	if open {
		closed = time.Time{}
	}
	return detected, closed
}
