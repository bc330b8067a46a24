package reports

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"statewire/reports/web"
)

// clientPage shows one client: what is so, what is missing, what happens next.
func (s *Server) clientPage(w http.ResponseWriter, r *http.Request) {
	view, err := s.clientView(r.Context(), r.PathValue("id"), r.URL.Query())
	var several *AmbiguousError
	switch {
	case errors.As(err, &several):
		s.namesakes(w, r, several)
		return
	case errors.Is(err, ErrNoClient):
		view = explanationView(unknownName(strings.TrimSpace(r.PathValue("id"))))
	case err != nil:
		s.logFailure("client", err)
		s.errorPage(w, r, problemOf(err))
		return
	}
	status := http.StatusOK
	switch {
	case view.Problem != "":
		status = http.StatusBadRequest
	case !view.Known:
		status = http.StatusNotFound
	}
	s.render(w, r, status, "client", web.Page{Title: view.Name, Section: "client", Find: view.Name, Body: *view})
}

// namesakes lists the clients of one name.
func (s *Server) namesakes(w http.ResponseWriter, r *http.Request, several *AmbiguousError) {
	view := web.Namesakes{Name: terminalSafe(shorten(several.Name, 64))}
	for _, c := range several.Clients {
		view.Clients = append(view.Clients, web.Namesake{Name: terminalSafe(shorten(c.Name, 64)), ID: wireID(c.ID), Link: clientPath + c.ID.String(), LastReport: c.LastReport})
	}
	s.render(w, r, http.StatusOK, "namesakes", web.Page{Title: view.Name, Section: "client", Find: view.Name, Body: view})
}

// clientView gathers what the page shows.
func (s *Server) clientView(ctx context.Context, client string, query url.Values) (*web.Client, error) {
	id, err := s.runner.FindClient(ctx, client)
	if err != nil {
		return nil, err
	}
	e, err := s.runner.gather(ctx, id)
	if err != nil {
		return nil, err
	}
	topic, problem := (*Topic)(nil), ""
	if text := query.Get("topic"); text != "" { // a form sends an empty field
		if topic, err = ParseTopic(text); err != nil {
			problem = "The topic could not be read: " + err.Error() + ". "
		}
	}
	explanation, err := s.runner.explain(ctx, e, topic)
	if err != nil {
		return nil, err
	}
	view := explanationView(explanation)
	if topic != nil {
		view.Topic = query.Get("topic")
	}
	view.Problem, view.Known = problem, e.known() || len(e.held.Files) > 0
	view.Header = e.tiles()
	view.Line = e.line()
	for _, q := range e.requests[:min(len(e.requests), shownResyncs)] {
		view.Resyncs = append(view.Resyncs, q.view(e))
	}
	if err := s.fillStates(ctx, e, view); err != nil {
		return nil, err
	}
	view.Links = clientLinks(id.String())
	view.Age = web.Age{AsOf: e.now, Text: "Read from the store and the inbox just now."}
	return view, s.fillTrace(ctx, e, view, query.Get("serial"))
}

// shownResyncs is how many resyncs the page draws; the report behind it has them all.
const shownResyncs = 4

func clientLinks(id string) []web.Entry {
	q := url.Values{"client": {id}}.Encode()
	return []web.Entry{
		{Title: "All states", Link: "/reports/client-states?" + q}, {Title: "All messages", Link: "/reports/messages?" + q},
		{Title: "Missing messages", Link: "/reports/missing-ranges?" + q}, {Title: "Resyncs", Link: "/reports/resyncs?step=any&" + q},
		{Title: "Bad records", Link: "/reports/bad-records?" + q}, {Title: "JSON", Link: "/api/v1/clients/" + id + "/explain"},
	}
}

// explanationView is the part of the page that says it in sentences.
func explanationView(e *Explanation) *web.Client {
	view := &web.Client{Name: terminalSafe(e.Client.name()), Summary: terminalSafe(e.Summary), Tone: worst(e.Facts)}
	if e.Facts[0].Code != "unknown_name" {
		view.ID, view.Wire = e.Client.ID.String(), wireID(e.Client.ID)
	}
	for _, f := range e.Facts {
		fact := web.Fact{Text: terminalSafe(f.Text), Tone: f.Severity.tone(), Word: string(f.Severity)}
		if f.Time != nil {
			fact.Time = *f.Time
		}
		view.Facts = append(view.Facts, fact)
	}
	view.Next = nextView(e.Next)
	return view
}

// nextView is what is to come.
func nextView(steps []Step) []web.Next {
	var out []web.Next
	for _, step := range steps {
		n := web.Next{Text: terminalSafe(step.Text)}
		if step.At != nil {
			n.At = *step.At
		}
		out = append(out, n)
	}
	return out
}

func (s Severity) tone() web.Tone {
	switch s {
	case OK:
		return web.ToneGood
	case Warning:
		return web.ToneBusy
	case Bad:
		return web.ToneBad
	}
	return web.TonePlain
}

// worst is the tone of the gravest fact.
func worst(facts []Fact) web.Tone {
	tone := web.ToneGood
	for _, f := range facts {
		switch {
		case f.Severity == Bad:
			return web.ToneBad
		case f.Severity == Warning:
			tone = web.ToneBusy
		case f.Code == "topic_never_told" && tone == web.ToneGood: // nothing is wrong, and yet nothing is known
			tone = web.ToneUnknown
		}
	}
	return tone
}

// view is a resync with its four steps.
func (q issuedResync) view(e *evidence) web.Resync {
	now, over := q.step(), q.step() == stepReplaced || q.step() == stepExpired
	out := web.Resync{Number: strconv.FormatUint(q.number, 10), Why: firstUpper(terminalSafe(q.why())), Open: now == stepIssued || now == stepPickedUp || now == stepAnswering}
	for _, st := range []struct {
		step step
		at   *web.Stage
	}{
		{stepIssued, &web.Stage{At: q.issued}}, {stepPickedUp, &web.Stage{At: q.pickedUp}}, {stepAnswering, &web.Stage{At: q.answering}}, {stepCompleted, &web.Stage{At: q.completed}},
	} {
		st.at.Label, st.at.Now, st.at.Done = firstUpper(string(st.step)), st.step == now, !st.at.At.IsZero()
		switch {
		case st.step == stepCompleted && now == stepLate:
			st.at.Now, st.at.Note = true, "late, "+ago(e.now.Sub(st.at.At))
		case st.at.Done && st.at.At.After(e.now):
			st.at.Note = clockAt(st.at.At)
		case st.at.Done:
			st.at.Note = ago(e.now.Sub(st.at.At))
		case now == stepCompleted || now == stepLate:
			st.at.Note = "not seen"
		case now == stepAccepted:
			st.at.Note = "not needed"
		case over:
			st.at.Note = "never came"
		default:
			st.at.Note = "to come"
		}
		out.Stages = append(out.Stages, *st.at)
	}
	return out
}

func (s *Server) fillStates(ctx context.Context, e *evidence, view *web.Client) error {
	rows, err := s.runner.ask(ctx, "states", map[string]string{"client": e.client.ID.String(), "floor": fmt.Sprint(e.confirmedFrom())})
	if err != nil {
		return err
	}
	id := e.client.ID.String()
	view.StatesLink = "/reports/client-states?client=" + id
	for _, row := range rows {
		view.AllStates = row.count("all_states")
		name := row.text("state_name")
		if name == "" {
			name = "State " + row.text("state")
		}
		topic := topicTitle(row.text("topic_name"))
		if topic == "" {
			topic = "Topic type " + row.text("topic")
		}
		state := web.State{
			Topic: topic, Type: row.text("topic"), ID: shorten(row.text("id"), 80), Name: name, Tone: web.ToneOf(name), Raised: timeOf(row["raised"]), Received: row.time("received"),
			Unconfirmed: row.uint("unconfirmed") == 1, Serial: "instant",
			TopicLink: clientPath + id + "?" + url.Values{"topic": {row.raw("topic") + "/" + row.raw("id")}}.Encode() + "#explain",
			StateLink: "/reports/clients-in-state?" + url.Values{"topic_type": {row.raw("topic")}, "state_id": {row.raw("state")}, "topic_id": {row.raw("id")}}.Encode(),
		}
		if serial := row.uint("serial"); serial > 0 {
			state.Serial, state.Link = web.Number(serial), serialLink(e, serial)
		}
		view.States = append(view.States, state)
	}
	return nil
}

// serialLink leads to the trace of one message.
func serialLink(e *evidence, serial uint64) string {
	return clientPath + e.client.ID.String() + "?serial=" + strconv.FormatUint(serial, 10) + "#trace"
}

// fillTrace follows the message that was asked about.
func (s *Server) fillTrace(ctx context.Context, e *evidence, view *web.Client, text string) error {
	view.Serial = text
	if text == "" {
		return nil
	}
	serial, err := strconv.ParseUint(strings.ReplaceAll(strings.TrimSpace(text), ",", ""), 10, 64)
	if err != nil || serial == 0 || serial > maxSerial {
		view.Problem += firstUpper(ErrSerial.Error()) + "."
		return nil
	}
	t := &tracer{evidence: e, serial: serial}
	if err := s.runner.follow(ctx, t); err != nil {
		return err
	}
	t.tell()
	view.Trace = &web.Trace{Serial: web.Number(serial), Summary: terminalSafe(t.out.Summary), Next: nextView(t.out.Next), Tone: verdictTone(t.out.Verdict)}
	if t.out.Verdict != "not_assigned" {
		view.Trace.Next = nil // the page tells what happens next beside it
	}
	for _, h := range t.out.Hops {
		hop := web.Hop{Where: h.Where, Text: terminalSafe(h.Text), Word: string(h.Severity), Tone: h.Severity.tone()}
		if h.Time != nil {
			hop.Time = *h.Time
		}
		if h.Version > 0 {
			hop.Version = strconv.Itoa(h.Version)
		}
		view.Trace.Hops = append(view.Trace.Hops, hop)
	}
	return nil
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

// firstUpper begins a sentence.
func firstUpper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
