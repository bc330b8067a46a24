package console

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports/explain"
)

// operationsPath is where the pages of client operations are.
const operationsPath = "/operations"

// shownOperations is how many operations the list has.
const shownOperations = 100

// operationRefresh is how often the pages of operations are asked for anew, in seconds: a connected client is done in
// less than one.
const operationRefresh = 2

// operations is the list of client operations.
func (s *Server) operations(w http.ResponseWriter, r *http.Request) {
	open := r.URL.Query().Get("open") == "true"
	view := &web.Operations{Refresh: operationRefresh, Open: open, Address: operationsPath + "?open=true",
		Other: operationsPath}
	if !open {
		view.Address, view.Other = view.Other, view.Address
	}
	view.Age = web.Age{AsOf: s.now(), Text: "Asked of the notification manager just now."}
	status := http.StatusOK
	if p := s.fillOperations(r.Context(), view); p != nil {
		status, view.Problem, view.Instead = p.Status, p.Detail, stored(p, "client-operations", nil)
	}
	s.render(w, r, status, "operations", web.Page{Title: "Client operations", Section: "operations", Body: *view})
}

func (s *Server) fillOperations(ctx context.Context, view *web.Operations) *Problem {
	if s.tasks == nil {
		return noTasks()
	}
	list, err := s.tasks.List(ctx, callerOf(ctx), view.Open, shownOperations+1)
	if err != nil {
		return s.taskProblem(err)
	}
	stop, err := s.tasks.Stopped(ctx)
	if err != nil {
		return s.taskProblem(err)
	}
	view.Stopped = stopWords(stop)
	if view.Full = len(list) > shownOperations; view.Full {
		list = list[:shownOperations]
	}
	for _, t := range s.named(ctx, list) {
		view.Rows = append(view.Rows, operationRow(t))
	}
	view.Commands = []web.Step{{Where: "On this machine, as the site's user, a test that does nothing but report:",
		Command: "statewire notify TestEvent --all --param Text=hello"}}
	return nil
}

// named are tasks with the computer's name in the place of a single client's id, where it is known.
func (s *Server) named(ctx context.Context, list []Task) []Task {
	list = slices.Clone(list)
	clients := map[int]uuid.UUID{}
	for i, t := range list {
		name, one := strings.CutPrefix(t.For, "client GUID:")
		if id, err := uuid.Parse(name); one && err == nil {
			clients[i] = id
		}
	}
	names, err := s.explainer.Names(ctx, slices.Collect(maps.Values(clients)))
	if err != nil {
		s.logFailure("names of clients", err)
	}
	for i, id := range clients {
		if name := names[id]; name != "" {
			list[i].For = "client " + name
		}
	}
	return list
}

// stopWords say that somebody stopped everything; nothing when nobody did.
func stopWords(stop *TaskStop) string {
	if stop == nil {
		return ""
	}
	text := fmt.Sprintf("Nothing is sent: %s stopped all tasks", tabular.TerminalSafe(tabular.Shorten(stop.Actor, 80)))
	if !stop.Since.IsZero() {
		text += " at " + humanize.Clock(stop.Since)
	}
	if stop.Reason != "" {
		text += " (" + strings.ReplaceAll(tabular.TerminalSafe(tabular.Shorten(stop.Reason, 200)), "`", "'") + ")"
	}
	return text + ". To go on: `statewire notify resume`"
}

// stepTones are how the steps read at a glance.
var stepTones = map[string]web.Tone{"succeeded": web.ToneGood, "running": web.ToneBusy, "received": web.ToneBusy,
	"pushed": web.ToneBusy, "queued": web.TonePlain, "offline": web.TonePlain, "cancelled": web.TonePlain,
	"expired": web.ToneBad, "refused": web.ToneBad, "failed": web.ToneBad, "unknown": web.ToneUnknown}

// operationRow is an operation with its counts as a bar.
func operationRow(t Task) web.OperationRow {
	id := strconv.FormatUint(t.ID, 10)
	c := t.Counts
	row := web.OperationRow{State: stateText(t), Tone: stateTone(t), For: tabular.TerminalSafe(tabular.Shorten(t.For, 60)),
		By: tabular.TerminalSafe(tabular.Shorten(t.Actor, 60)), Why: t.Reason, Made: t.Created, Until: t.NotAfter,
		Ended: c.Succeeded + c.Failed + c.Refused + c.Expired + c.Cancelled + c.Unknown}
	row.Stack = web.Stack{Title: id + " " + tabular.TerminalSafe(tabular.Shorten(t.Name, 80)),
		Link: operationsPath + "/" + id, Total: c.Targets}
	for _, one := range []struct {
		name, step string
		n          int
	}{{"succeeded", "succeeded", c.Succeeded}, {"running", "running", c.Running}, {"received", "received", c.Received},
		{"pushed", "pushed", c.Pushed}, {"queued", "queued", c.Queued}, {"offline", "queued", c.Offline},
		{"cancelled", "cancelled", c.Cancelled}, {"failed", "failed", c.Failed}, {"refused", "refused", c.Refused},
		{"expired", "expired", c.Expired}, {"unknown", "unknown", c.Unknown}} {
		if one.n > 0 {
			row.Segments = append(row.Segments, web.Segment{Name: one.name, Count: one.n, Tone: stepTones[one.name],
				Link: row.Link + "?step=" + one.step})
		}
	}
	row.Arrange()
	return row
}

func stateText(t Task) string {
	text := map[string]string{"approval": "Waits for a second person", "active": "Under way", "ended": "At an end",
		"cancelled": "Cancelled"}[t.State]
	if text == "" {
		text = tabular.TerminalSafe(t.State)
	}
	if t.Why != "" {
		text += ": " + tabular.TerminalSafe(tabular.Shorten(t.Why, 40))
	}
	return text
}

func stateTone(t Task) web.Tone {
	switch c := t.Counts; {
	case t.State == "approval", t.State == "active":
		return web.ToneBusy
	case c.Failed+c.Refused+c.Expired+c.Unknown > 0:
		return web.ToneBad
	case t.State == "cancelled":
		return web.TonePlain
	}
	return web.ToneGood
}

// operation is the page of one operation with its clients.
func (s *Server) operation(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	at, err := readCursor(query.Get("step"), query.Get("cursor"))
	if err == nil && s.tasks == nil {
		err = noTasks()
	}
	if err != nil {
		s.noOperation(w, r, problemOf(err))
		return
	}
	by := callerOf(r.Context())
	answer, err := s.stepsFrom(r.Context(), by, r.PathValue("id"), at, pageRows)
	if err != nil {
		s.noOperation(w, r, s.taskProblem(err))
		return
	}
	stop, err := s.tasks.Stopped(r.Context())
	if err != nil {
		s.noOperation(w, r, s.taskProblem(err))
		return
	}
	answer.Task = s.named(r.Context(), []Task{answer.Task})[0]
	view := operationView(answer, query)
	view.Age = web.Age{AsOf: s.now(), Text: "Asked of the notification manager just now."}
	servers := s.serverNames(r.Context())
	for _, step := range answer.Steps {
		view.Clients = append(view.Clients, operationClient(step, servers))
	}
	if view.Refresh > 0 {
		view.Stopped = stopWords(stop)
	}
	s.render(w, r, http.StatusOK, "operation", web.Page{Title: view.Title, Section: "operations", Body: *view})
}

// noOperation is the page in place of one. While the manager is away the tables still tell what it wrote there.
func (s *Server) noOperation(w http.ResponseWriter, r *http.Request, p *Problem) {
	s.render(w, r, p.Status, "problem", web.Page{Title: p.Title, Section: "operations", Body: web.Problem{Status: p.Status,
		Title: p.Title, Detail: p.Detail, Instead: stored(p, "task-steps", url.Values{"task": {r.PathValue("id")}})}})
}

// stored leads to a report that has what the manager wrote into the tables; nil when the manager answers.
func stored(p *Problem, report string, params url.Values) *web.Entry {
	if p.Status != http.StatusServiceUnavailable {
		return nil
	}
	link := "/reports/" + report
	if len(params) > 0 {
		link += "?" + params.Encode()
	}
	return &web.Entry{Title: "What the store has", Link: link, Description: "may be a little behind."}
}

// operationView is what the page shows beside the clients.
func operationView(a *TaskAnswer, query url.Values) *web.Operation {
	view := &web.Operation{OperationRow: operationRow(a.Task), ID: strconv.FormatUint(a.ID, 10), GUID: a.GUID.String(),
		Step: query.Get("step"), Facts: operationFacts(a.Task)}
	view.All = view.Link
	address := func(cursor string) string {
		q := url.Values{}
		if view.Step != "" {
			q.Set("step", view.Step)
		}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		if len(q) == 0 {
			return view.Link
		}
		return view.Link + "?" + q.Encode()
	}
	view.Address = address(query.Get("cursor"))
	if query.Get("cursor") != "" {
		view.First = address("")
	}
	if a.Next != "" {
		view.Next = address(a.Next)
	}
	if a.State == "active" || a.State == "approval" || view.Ended < a.Counts.Targets {
		view.Refresh = operationRefresh
	}
	return view
}

// operationFacts say in sentences what was asked, by whom, and until when.
func operationFacts(t Task) (facts []web.Fact) {
	add := func(tone web.Tone, text string, args ...any) {
		facts = append(facts, web.Fact{Tone: tone, Text: tabular.TerminalSafe(fmt.Sprintf(text, args...))})
	}
	short := func(text string) string { return strings.ReplaceAll(tabular.Shorten(text, 200), "`", "'") }
	add(web.TonePlain, "%s, class %s, of pack %s %s.", short(t.Name), t.Class, short(t.Pack), short(t.Version))
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		add(web.TonePlain, "%s is %q.", short(name), short(t.Parameters[name]))
	}
	if t.Reason != "" {
		add(web.TonePlain, "Reason: %s", short(t.Reason))
	}
	if t.Approver != "" {
		add(web.TonePlain, "%s agreed to it.", short(t.Approver))
	}
	if t.State == "approval" {
		add(web.ToneBusy, "Somebody else than %s has to agree to it: `statewire tasks approve %d`", short(t.Actor), t.ID)
	}
	until := "A client begins until %s, or never."
	if t.Lasting {
		until = "A client begins until %s, or never; it stands in the policy, too."
	}
	add(web.TonePlain, until, humanize.Clock(t.NotAfter))
	if t.Counts.Succeeded+t.Counts.Failed+t.Counts.Late > 0 {
		add(web.TonePlain, "All that it wrote: `statewire tasks show %d --output`", t.ID)
	}
	if t.Counts.Late > 0 {
		add(web.ToneBusy, "%s came when the site waited no longer: they change no count.",
			plural(t.Counts.Late, "result", "results"))
	}
	if t.Counts.Unsolicited > 0 {
		add(web.ToneBad, "%s came from clients that nobody asked: `statewire audit list` has them.",
			plural(t.Counts.Unsolicited, "result", "results"))
	}
	return facts
}

func plural(n int, one, many string) string {
	return humanize.Number(n) + " " + humanize.Plural(n, one, many)
}

// serverNames are the names of the notification servers by number, as far as they are stored.
func (s *Server) serverNames(ctx context.Context) map[string]string {
	names := map[string]string{}
	rows, err := s.snapshots.get(ctx, "notification-servers", nil)
	if err != nil {
		s.logFailure("notification-servers", err)
	}
	for _, row := range rows {
		names[row.Raw("server_id")] = row.Text("server")
	}
	return names
}

// whyStep is why a client is in its step: a code, and what the client says of it.
func whyStep(step TaskStep) string {
	if step.Reason == "" || step.Detail == "" {
		return step.Reason + step.Detail
	}
	return step.Reason + " (" + step.Detail + ")"
}

// operationClient is one row of the page.
func operationClient(step TaskStep, servers map[string]string) web.OperationClient {
	id := step.Client.String()
	c := web.OperationClient{Name: tabular.TerminalSafe(tabular.Shorten(step.Name, 64)), ID: explain.WireID(step.Client),
		Link: clientPath + id, Step: step.Step, Tone: stepTones[step.Step], At: step.At,
		Why: tabular.TerminalSafe(tabular.Shorten(whyStep(step), 120))}
	if step.Late {
		c.Step += " (late)"
	}
	if step.ServerID > 0 {
		number := strconv.FormatUint(uint64(step.ServerID), 10)
		c.Server = tabular.Shorten(servers[number], 40)
		if c.Server == "" {
			c.Server = "server " + number
		}
	}
	if step.ExitCode != nil {
		c.Exit = strconv.Itoa(int(*step.ExitCode))
	}
	line, more, _ := strings.Cut(strings.TrimSpace(step.Output), "\n")
	c.Output = tabular.TerminalSafe(tabular.Shorten(line, 120))
	if more != "" || step.Truncated {
		c.Output += " …"
	}
	return c
}

// clientTask is a task on the page of its client.
func clientTask(t explain.Task) web.ClientTask {
	id := strconv.FormatUint(t.ID, 10)
	out := web.ClientTask{Title: id + " " + tabular.TerminalSafe(tabular.Shorten(t.Name, 60)),
		Link: operationsPath + "/" + id, Step: t.Step, Tone: stepTones[t.Step], At: t.At, Why: t.Reason}
	switch {
	case t.Approval && t.Step == "queued":
		out.Why = "waits for a second person"
	case t.Step == "refused":
		out.Why = explain.RefusalWords(t.Reason)
	case t.Output != "":
		out.Why = t.Output
	}
	out.Why = tabular.TerminalSafe(tabular.Shorten(out.Why, 120))
	return out
}
