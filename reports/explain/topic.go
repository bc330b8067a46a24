package explain

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"statewire/internal/humanize"
	"statewire/internal/serials"
	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/names"
)

// ParseTopic reads TYPE/ID; an id may hold slashes itself.
func ParseTopic(text string) (*Topic, error) {
	kind, id, ok := strings.Cut(text, "/")
	n, err := strconv.ParseUint(kind, 10, 32)
	if !ok || err != nil {
		return nil, fmt.Errorf("topic %.64q: write TYPE/ID, for example 500/5a0c1c8e-0b0f-4a7e-9a42-1d5f6f0a1001", text)
	}
	return &Topic{Type: uint32(n), ID: id}, nil
}

// topicAnswer is what an explanation begins with when a topic was asked about.
type topicAnswer struct {
	summary string
	facts   []Fact
}

// topicRow is the row of topic.sql.
type topicRow struct {
	found            bool
	state            string
	serial           uint64
	raised, received time.Time
	title            string
	suspect          bool // raised can't be right
}

// aboutTopic says what the client last said on a topic, or why it is unknown: never reported, reported but not loaded,
// set aside, among the missing messages, or never told. There is no "loaded but not summarised": a state is current
// the moment it is loaded.
func (x *Explainer) aboutTopic(ctx context.Context, e *evidence, topic Topic) (topicAnswer, error) {
	params := map[string]string{"client": e.client.ID.String(), "type": fmt.Sprint(topic.Type),
		"id": strings.ToValidUTF8(topic.ID, "\ufffd")}
	rows, err := x.ask(ctx, "topic", params)
	if err != nil {
		return topicAnswer{}, err
	}
	row := readTopic(rows, topic)
	unconfirmed := false
	if floor := e.confirmedFrom(); row.found && floor > 0 {
		params["floor"] = fmt.Sprint(floor)
		rows, err := x.ask(ctx, "unconfirmed", params)
		if err != nil {
			return topicAnswer{}, err
		}
		unconfirmed = rows[0].Count("states") > 0
	}
	f := &facts{evidence: e}
	paused, err := x.ask(ctx, "paused", params)
	if err != nil {
		return topicAnswer{}, err
	}
	if len(paused) > 0 {
		e.paused = true
		f.add(Note, "topic_paused", paused[0].Time("since"),
			"The policy of the collection %s pauses this topic: the client keeps what it has on it, and sends it once the "+
				"topic is no longer paused.", tabular.Shorten(paused[0].Raw("collection"), 64))
	}
	if row.found {
		return f.knownTopic(row, unconfirmed), nil
	}
	return f.unknownTopic(row), nil
}

func readTopic(rows []reports.Record, topic Topic) topicRow {
	if len(rows) == 0 {
		return topicRow{title: topicTitle(topic, "", "")}
	}
	r := rows[0]
	out := topicRow{title: topicTitle(topic, names.Topic(r.Raw("topic_name")), r.Raw("title"))}
	out.found = r.Uint("found") == 1
	out.state = fmt.Sprintf("state %d", r.Uint("state"))
	if name := r.Raw("state_name"); name != "" {
		out.state += " (" + name + ")"
	}
	out.serial, out.raised, out.received = r.Uint("serial"), r.Time("raised"), r.Time("received")
	if out.suspect = r.Uint("suspect") == 1; out.suspect {
		out.raised = r.RawTime("raised")
	}
	return out
}

// topicTitle is a topic as a sentence names it: the title of the id where that is not the id itself, what its type is
// called, its number and id.
func topicTitle(topic Topic, kind, title string) string {
	if kind == "" {
		kind = "topic"
	}
	kind = strings.ToLower(kind[:1]) + kind[1:]
	out := fmt.Sprintf("%s %d/%s", kind, topic.Type, tabular.Shorten(topic.ID, 80))
	if title != "" && title != topic.ID {
		return fmt.Sprintf("%s (%s)", tabular.Shorten(title, 80), out)
	}
	return out
}

// knownTopic tells the current state, and how far it can be trusted.
func (f *facts) knownTopic(t topicRow, unconfirmed bool) topicAnswer {
	message := "an instant message"
	if t.serial > 0 {
		message = "message " + humanize.Number(t.serial)
	}
	raised := "raised at " + humanize.Clock(t.raised) + " and "
	if t.suspect {
		raised = ""
	}
	f.add(OK, "topic_state", t.received, "On %s it last said %s, in %s, %sreceived at %s.", t.title, t.state, message,
		raised, f.when(t.received))
	if t.suspect {
		f.add(Warning, "topic_clock", t.received, "When it was raised is not known: its clock was wrong, %s.",
			wrongTime(t.raised, t.received))
	}
	answer := fmt.Sprintf("%s is in %s on %s.", f.client.Called(), t.state, t.title)
	doubt := ""
	if unconfirmed {
		f.add(Warning, "topic_unconfirmed", f.header.completionTime,
			"The state is unconfirmed: the client left it out when it sent everything again, at %s, so it no longer holds it.",
			f.when(f.header.completionTime))
		doubt = "it is unconfirmed: the client no longer holds it"
	}
	if later := f.missingAfter(t.serial); later > 0 && t.serial > 0 {
		f.add(Warning, "topic_gap", time.Time{}, "%s later %s missing: a newer state may be among them.",
			humanize.Number(later), humanize.Plural(int(min(later, 2)), "message is", "messages are"))
		doubt = "a newer one may be among the missing messages"
	}
	if named := f.heldByName(); named > 0 {
		f.add(Note, "topic_waiting", time.Time{}, "A newer state may be in what waits in the inbox.")
		doubt = "a newer one may be waiting in the inbox"
	}
	quiet := f.now.Sub(t.received)
	if quiet > lostAfter && f.now.Sub(f.header.lastReport) < silentAfter {
		f.add(Note, "topic_silent", t.received, "It has reported since, but nothing on this topic for %s.",
			humanize.Span(quiet))
	}
	if doubt != "" {
		answer = strings.TrimSuffix(answer, ".") + ", but " + doubt + "."
	}
	return topicAnswer{answer, f.list}
}

func (e *evidence) readPauses(rows []reports.Record) {
	if len(rows) > 0 {
		e.pauses = rows[0]
	}
}

// pausedTopics tells what the client keeps to itself because it was told to.
func (f *facts) pausedTopics() {
	if p := f.pauses; p != nil {
		f.add(Note, "topics_paused", p.Time("since"),
			"A policy pauses what it says on topic %s %s (%s): the client keeps that until it is no longer paused.",
			humanize.Plural(p.Count("count"), "type", "types"), p.Text("kinds"), tabular.Shorten(p.Raw("collections"), 120))
	}
}

// unknownTopic says why there is no state, the likeliest cause first.
func (f *facts) unknownTopic(t topicRow) topicAnswer {
	name := f.client.Called()
	missing := count(f.missing())
	var why string
	switch {
	case !f.reported() && f.heldByName() > 0:
		why = "its first report waits in the inbox"
		f.add(Warning, "topic_not_loaded", f.held.Files[0].Since,
			"Unknown because nothing of this client has been loaded yet.")
	case !f.reported():
		why = "the client has never reported"
		f.add(Warning, "topic_never_reported", time.Time{},
			"Unknown because no report of this client has been stored at all.")
	case f.heldByName() > 0:
		why = "reports of the client wait in the inbox and may hold it"
		f.add(Note, "topic_not_loaded", f.held.Files[0].Since,
			"Unknown, and reports of this client wait in the inbox: the state may be among them.")
	case missing > 0:
		why = "messages of the client are missing and may hold it"
		f.add(Warning, "topic_in_gap", time.Time{}, "Unknown, and %s %s missing: the state may be among them.",
			humanize.Number(missing), humanize.Plural(int(min(missing, 2)), "message is", "messages are"))
	case f.asideCount > 0:
		why = "records of the client were set aside and may hold it"
		f.add(Warning, "topic_set_aside", f.aside[0].received,
			"Unknown, and %s %s set aside as bad: the state may be among them.", humanize.Number(f.asideCount),
			humanize.Plural(f.asideCount, "record of this client was", "records of this client were"))
	case f.paused:
		why = "a policy pauses the topic, so that the client does not send it"
	case f.header.cacheUnsent > 0:
		why = "states wait on the client to be sent and may hold it"
		f.add(Note, "topic_unsent", f.header.cacheTime,
			"Unknown, and at %s the client said that %s of its states %s to be sent: it may be among them.",
			f.when(f.header.cacheTime), humanize.Number(f.header.cacheUnsent),
			humanize.Plural(f.header.cacheUnsent, "waits", "wait"))
	default:
		why = "the client never said anything on it"
		f.add(Note, "topic_never_told", f.header.firstReport,
			"Unknown because the client never said anything on it: every message that it sent has arrived, and none is about "+
				"this topic. It is out of the topic's scope, or has never evaluated it.")
	}
	return topicAnswer{fmt.Sprintf("The state of %s on %s is unknown: %s.", name, t.title, why), f.list}
}

// missingAfter counts missing messages after a serial.
func (e *evidence) missingAfter(serial uint64) uint64 {
	return count(serials.Missing(e.runs, max(e.floor(), serial+1), e.greatest()))
}

// heldByName counts the waiting files that name the client.
func (e *evidence) heldByName() int {
	n := 0
	for _, file := range e.held.Files {
		if file.Names {
			n++
		}
	}
	return n
}
