package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"statewire/console/web"
	"statewire/internal/tabular"
	"statewire/reports/explain"
)

// clientPage shows one client: what is so, what is missing, what happens next.
func (s *Server) clientPage(w http.ResponseWriter, r *http.Request) {
	asked := readQuestion(r.PathValue("id"), r.URL.Query())
	found, err := s.explainer.Find(r.Context(), asked.Question)
	var several *explain.AmbiguousError
	view, status := &web.Client{}, http.StatusOK
	switch {
	case errors.As(err, &several):
		s.namesakes(w, r, several)
		return
	case errors.Is(err, explain.ErrNoClient):
		view = explanationView(explain.UnknownName(strings.TrimSpace(r.PathValue("id"))))
	case err != nil:
		s.logFailure("client", err)
		s.errorPage(w, r, problemOf(err))
		return
	default:
		view, status = s.clientAt(r, found, asked)
	}
	if !view.Known && view.Problem == "" {
		status = http.StatusNotFound
	}
	page := web.Page{Title: view.Name, Section: "client", Find: view.Name, Body: *view}
	if then := s.then(r); view.Known && then != nil {
		then.Members, page.Then = "", then
	}
	s.render(w, r, status, "client", page)
}

// clientAt shows what is found of a client now, or how it stood at the moment that is asked about, with the status.
func (s *Server) clientAt(r *http.Request, found *explain.Findings, asked clientQuestion) (*web.Client, int) {
	ctx, query := r.Context(), r.URL.Query()
	id, then, all := found.Explanation.Client.ID, readMoment(query.Get(asOfName), s.zone()), query.Get("show") == "all"
	view, status := clientView(found), http.StatusOK
	if view.Topic, view.Serial, view.Problem = asked.topic, asked.serial, asked.problem; view.Problem != "" {
		status = http.StatusBadRequest
	}
	if !found.Known {
		return view, status
	}
	if !then.now() {
		view = &web.Client{Name: view.Name, ID: view.ID, Wire: view.Wire, Known: true, Then: true, Problem: view.Problem,
			Links: linksThen(id.String(), then)}
	}
	view.Filters = s.filters(ctx, clientPath+id.String(), given(query, asOfName), asOfName)
	view.Filters.Hidden = hidden(query, "show")
	timeline, err := s.timeline(ctx, id.String(), then)
	switch {
	case err != nil && !then.now(): // what is no moment for it is none for the rest
		problem := problemOf(err)
		view.Problem += firstUpper(problem.Detail)
		return view, problem.Status
	case err != nil:
		timeline = &web.Timeline{Days: shownDays,
			Problem: "How it changed can't be read at the moment: " + problemOf(err).Detail}
	}
	view.Timeline, view.Stands = timeline, s.clientStands(ctx, id, then, all)
	return view, status
}

// clientQuestion is what a page's address asks about a client.
type clientQuestion struct {
	explain.Question
	topic, serial string // as they were given; an unreadable topic is not
	problem       string // why topic or serial can't be answered
}

// readQuestion takes what can be read: the page shows the rest beside what is wrong.
func readQuestion(client string, query url.Values) clientQuestion {
	q := clientQuestion{Question: explain.Question{Client: client}, serial: query.Get("serial")}
	var err error
	if text := query.Get("topic"); text != "" { // a form sends an empty field
		if q.Topic, err = explain.ParseTopic(text); err != nil {
			q.problem = "The topic could not be read: " + err.Error() + ". "
		} else {
			q.topic = text
		}
	}
	if q.serial == "" {
		return q
	}
	q.Serial, err = strconv.ParseUint(strings.ReplaceAll(strings.TrimSpace(q.serial), ",", ""), 10, 64)
	if err != nil || q.Serial == 0 || q.Serial > explain.MaxSerial {
		q.Serial = 0
		q.problem += firstUpper(explain.ErrSerial.Error()) + "."
	}
	return q
}

// namesakes lists the clients of one name.
func (s *Server) namesakes(w http.ResponseWriter, r *http.Request, several *explain.AmbiguousError) {
	view := web.Namesakes{Name: tabular.TerminalSafe(tabular.Shorten(several.Name, 64))}
	for _, c := range several.Clients {
		view.Clients = append(view.Clients, web.Namesake{
			Name: tabular.TerminalSafe(tabular.Shorten(c.Name, 64)), ID: explain.WireID(c.ID),
			Link: clientPath + c.ID.String(), LastReport: c.LastReport,
		})
	}
	s.render(w, r, http.StatusOK, "namesakes", web.Page{Title: view.Name, Section: "client", Find: view.Name, Body: view})
}

// clientView is what the page shows of the findings.
func clientView(f *explain.Findings) *web.Client {
	view := explanationView(f.Explanation)
	id := f.Explanation.Client.ID.String()
	view.Known = f.Known
	view.Header = clientTiles(f)
	view.Line = serialLine(id, f.Serials)
	for _, resync := range f.Resyncs {
		view.Resyncs = append(view.Resyncs, resyncView(resync, f.AsOf))
	}
	for _, task := range f.Tasks {
		view.Tasks = append(view.Tasks, clientTask(task))
	}
	view.AllStates, view.StatesLink = f.AllStates, "/reports/client-states?client="+id
	for _, state := range f.States {
		view.States = append(view.States, stateView(id, state))
	}
	if f.Trace != nil {
		view.Trace = traceView(f.Trace)
	}
	view.Links = clientLinks(id)
	view.Age = web.Age{AsOf: f.AsOf, Text: "Read from the store and the inbox just now."}
	return view
}

func clientLinks(id string) []web.Entry {
	q := url.Values{"client": {id}}.Encode()
	return []web.Entry{
		{Title: "All states", Link: "/reports/client-states?" + q},
		{Title: "All changes", Link: "/reports/client-timeline?" + q},
		{Title: "All messages", Link: "/reports/messages?" + q},
		{Title: "Missing messages", Link: "/reports/missing-ranges?" + q},
		{Title: "Resyncs", Link: "/reports/resyncs?step=any&" + q},
		{Title: "Connections", Link: "/reports/presence-history?" + q},
		{Title: "Bad records", Link: "/reports/bad-records?" + q},
		{Title: "JSON", Link: "/api/v1/clients/" + id + "/explain"},
	}
}

// linksThen lead to the reports that know how a client stood.
func linksThen(id string, then moment) (out []web.Entry) {
	for _, to := range []struct{ title, report string }{{"All states", "client-states"},
		{"All changes", "client-timeline"}} {
		out = append(out, web.Entry{Title: to.title,
			Link: address("/reports/"+to.report, nil, "client", id, asOfName, then.text)})
	}
	return out
}

// serialLink leads to the trace of one message.
func serialLink(client string, serial uint64) string {
	return clientPath + client + "?serial=" + strconv.FormatUint(serial, 10) + "#trace"
}

// firstUpper begins a sentence.
func firstUpper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
