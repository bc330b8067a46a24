package console

import (
	"net/url"
	"strconv"
	"time"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports/explain"
	"statewire/reports/names"
)

// explanationView is the part of the page that says it in sentences.
func explanationView(e *explain.Explanation) *web.Client {
	view := &web.Client{Name: tabular.TerminalSafe(e.Client.Called()), Summary: tabular.TerminalSafe(e.Summary),
		Tone: worst(e.Facts)}
	if e.Facts[0].Code != "unknown_name" {
		view.ID, view.Wire = e.Client.ID.String(), explain.WireID(e.Client.ID)
	}
	for _, f := range e.Facts {
		fact := web.Fact{Text: tabular.TerminalSafe(f.Text), Tone: severityTone(f.Severity), Word: string(f.Severity)}
		if f.Time != nil {
			fact.Time = *f.Time
		}
		view.Facts = append(view.Facts, fact)
	}
	view.Next = nextView(e.Next)
	return view
}

// nextView is what is to come.
func nextView(steps []explain.Step) []web.Next {
	var out []web.Next
	for _, step := range steps {
		n := web.Next{Text: tabular.TerminalSafe(step.Text)}
		if step.At != nil {
			n.At = *step.At
		}
		out = append(out, n)
	}
	return out
}

func severityTone(s explain.Severity) web.Tone {
	switch s {
	case explain.OK:
		return web.ToneGood
	case explain.Warning:
		return web.ToneBusy
	case explain.Bad:
		return web.ToneBad
	}
	return web.TonePlain
}

// worst is the tone of the gravest fact.
func worst(facts []explain.Fact) web.Tone {
	tone := web.ToneGood
	for _, f := range facts {
		switch {
		case f.Severity == explain.Bad:
			return web.ToneBad
		case f.Severity == explain.Warning:
			tone = web.ToneBusy
		case f.Code == "gap_new": // a note, as it may still come; and yet messages are missing
			tone = web.ToneBusy
		case f.Code == "topic_never_told" && tone == web.ToneGood: // nothing is wrong, and yet nothing is known
			tone = web.ToneUnknown
		}
	}
	return tone
}

// resyncView is a resync with its four steps.
func resyncView(q explain.Resync, now time.Time) web.Resync {
	reached := q.Reached
	out := web.Resync{
		Number: strconv.FormatUint(q.Number, 10), Why: firstUpper(tabular.TerminalSafe(q.Why())),
		Open: reached == explain.Issued || reached == explain.PickedUp || reached == explain.Answering,
	}
	for _, step := range []struct {
		progress explain.Progress
		at       time.Time
	}{
		{explain.Issued, q.Issued}, {explain.PickedUp, q.PickedUp}, {explain.Answering, q.Answering},
		{explain.Completed, q.Completed},
	} {
		stage := web.Stage{Label: firstUpper(string(step.progress)), At: step.at, Now: step.progress == reached,
			Done: !step.at.IsZero()}
		switch {
		case step.progress == explain.Completed && reached == explain.Late:
			stage.Now, stage.Note = true, "late, "+humanize.Ago(now.Sub(step.at))
		case stage.Done && step.at.After(now):
			stage.Note = humanize.Clock(step.at)
		case stage.Done:
			stage.Note = humanize.Ago(now.Sub(step.at))
		default:
			stage.Note = absent(reached)
		}
		out.Stages = append(out.Stages, stage)
	}
	return out
}

// absent says of a step of which nothing was seen what became of it.
func absent(reached explain.Progress) string {
	switch reached {
	case explain.Completed, explain.Late:
		return "not seen"
	case explain.Accepted:
		return "not needed"
	case explain.Replaced, explain.Expired:
		return "never came"
	}
	return "to come"
}

// stateView is what the client last said on one topic.
func stateView(client string, s explain.State) web.State {
	name := tabular.TerminalSafe(s.Name)
	kind, id := strconv.FormatUint(uint64(s.Topic.Type), 10), strconv.FormatUint(s.ID, 10)
	if name == "" {
		name = "State " + id
	}
	topic := names.Topic(tabular.TerminalSafe(s.TopicName))
	if topic == "" {
		topic = "Topic type " + kind
	}
	about := url.Values{"topic": {kind + "/" + s.Topic.ID}}
	alike := url.Values{"topic_type": {kind}, "state_id": {id}, "topic_id": {s.Topic.ID}}
	out := web.State{
		Topic: topic, Type: kind, ID: tabular.Shorten(tabular.TerminalSafe(s.Topic.ID), 80), Name: name,
		Tone:   web.ToneOf(name),
		Raised: s.Raised, Received: s.Received, Unconfirmed: s.Unconfirmed, Serial: "instant",
		TopicLink: clientPath + client + "?" + about.Encode() + "#explain",
		StateLink: "/reports/clients-in-state?" + alike.Encode(),
	}
	if s.Title != s.Topic.ID {
		out.Title = tabular.TerminalSafe(tabular.Shorten(s.Title, 120))
	}
	if s.Serial > 0 {
		out.Serial, out.Link = humanize.Number(s.Serial), serialLink(client, s.Serial)
	}
	return out
}

// traceView is the way of the message that was asked about.
func traceView(t *explain.Trace) *web.Trace {
	out := &web.Trace{Serial: humanize.Number(t.Serial), Summary: tabular.TerminalSafe(t.Summary),
		Tone: verdictTone(t.Verdict)}
	if t.Verdict == "not_assigned" { // of any other the page tells what happens next beside it
		out.Next = nextView(t.Next)
	}
	for _, h := range t.Hops {
		hop := web.Hop{Where: h.Where, Text: tabular.TerminalSafe(h.Text), Word: string(h.Severity),
			Tone: severityTone(h.Severity)}
		if h.Time != nil {
			hop.Time = *h.Time
		}
		if h.Version > 0 {
			hop.Version = strconv.Itoa(h.Version)
		}
		out.Hops = append(out.Hops, hop)
	}
	return out
}

func verdictTone(verdict string) web.Tone {
	switch verdict {
	case "current", "superseded", "dropped", "closed":
		return web.ToneGood
	case "missing", "conflict", "waiting":
		return web.ToneBusy
	case "set_aside", "unknown_client":
		return web.ToneBad
	}
	return web.TonePlain
}
