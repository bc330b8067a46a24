package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// subject is the page of one subject: over whom it counts, how they stand, why, and which machines they are.
func (s *Server) subject(w http.ResponseWriter, r *http.Request) {
	kind, id, query := r.PathValue("kind"), r.PathValue("id"), r.URL.Query()
	found, err := s.ask(r.Context(), "about", map[string]string{"kind": kind, "id": id})
	if err == nil && len(found) == 0 {
		err = newProblem(http.StatusNotFound, "no_subject", fmt.Sprintf("No client of this site has told of the %s %.80q, "+
			"and nobody gave it a target.", tabular.TerminalSafe(tabular.Shorten(kind, 40)), tabular.TerminalSafe(id)))
	}
	if err != nil {
		s.logFailure("subject", err)
		s.errorPage(w, r, problemOf(err))
		return
	}
	about := newAsked(found[0], query)
	view := about.page()
	view.Filters = s.filters(r.Context(), about.link, about.params, "collection", asOfName)
	view.Filters.Hidden = hidden(query, "class", "cause")
	status := http.StatusOK
	err = s.fillSubject(r.Context(), view, about)
	if err == nil {
		view.Machines, err = s.table(r.Context(), "subject-machines", about.machines(query), query.Get("cursor"),
			about.link, given(query, "collection", "class", "cause", asOfName))
	}
	if err != nil {
		problem := problemOf(err)
		s.logFailure("subject", err)
		status, view.Problem = problem.Status, firstUpper(problem.Detail)
	}
	var rest sync.WaitGroup
	if status == http.StatusOK {
		rest.Go(func() { s.fillDays(r.Context(), view, about) })
	}
	if err := s.fillCauses(r.Context(), view, about); err != nil {
		s.logFailure("not-known", err) // the counts above name the causes, too
	}
	rest.Wait()
	s.render(w, r, status, "subject", web.Page{Title: view.Title, Section: "compliance", Then: s.then(r), Body: *view})
}

// asked is a subject with what is asked about it.
type asked struct {
	row    reports.Record
	kind   string // as its address has it: of kind other, the topic type
	id     string
	link   string
	class  string // only machines of this class or cause
	params map[string]string
	query  url.Values
	first  reports.Record // of its counts, whose figures of the whole are the same in every row
}

func newAsked(row reports.Record, query url.Values) asked {
	a := asked{row: row, kind: row.Raw("kind"), id: row.Raw("topic_id"), params: given(query, "collection", asOfName),
		query: query}
	if a.kind == "other" {
		a.kind = row.Raw("topic_type")
	}
	a.class = cmp.Or(query.Get("cause"), query.Get("class"))
	a.link = subjectLink(a.kind, a.id)
	return a
}

// report are the parameters of a report about it.
func (a asked) report() map[string]string {
	out := maps.Clone(a.params)
	out["subject"] = a.kind + "/" + a.id
	return out
}

// machines are the parameters of the list of its machines.
func (a asked) machines(query url.Values) map[string]string {
	out := a.report()
	for name, value := range given(query, "class", "cause") {
		out[name] = value
	}
	return out
}

// page is what is known of the subject itself.
func (a asked) page() *web.SubjectPage {
	row := a.row
	view := &web.SubjectPage{Kind: row.Text("kind"), ID: tabular.TerminalSafe(a.id),
		Up:    address("/compliance", a.params, "tab", tabOf(row.Raw("kind"))),
		Title: cmp.Or(tabular.Shorten(row.Text("title"), 300), "(no id)")}
	if to := articleLink(row.Raw("url")); to != "" {
		view.Article = &web.Link{Title: cmp.Or(row.Text("article"), "Article"), Address: to}
	} else if article := row.Text("article"); article != "" {
		view.Facts = append(view.Facts, web.Term{Name: "Article", Text: article})
	}
	term := func(name, text, link string) {
		if text != "" {
			view.Facts = append(view.Facts, web.Term{Name: name, Text: tabular.Shorten(text, 120), Link: link})
		}
	}
	term("Kind", view.Kind, "")
	term("Severity", row.Text("severity"), "")
	day, _, _ := strings.Cut(row.Text("released"), "T")
	term("Released", day, "")
	then := a.params[asOfName]
	term("Target", row.Text("target"), address("/machines", nil, "collection", row.Raw("target"), asOfName, then))
	term("Group", row.Text("grp"), address("/compliance", nil, "group", row.Raw("grp"), "tab", view.Kind+"s",
		asOfName, then))
	term("Origin", row.Text("origin"), "")
	term("Superseded by", row.Text("superseded_by"), address(subjectLink(a.kind, row.Raw("superseded_by")), nil,
		asOfName, then))
	if at := row.Time("first_seen"); !at.IsZero() {
		view.Facts = append(view.Facts, web.Term{Name: "First seen", At: at})
	}
	if then == "" { // what is done now is done to the machines as they are now
		view.Commands = a.commands()
	}
	return view
}

// tabOf is the list that has the subjects of a kind; empty for the first one.
func tabOf(kind string) string {
	for _, tab := range complianceTabs[1:] {
		if tab.kind == kind || slices.Contains(strings.Split(tab.kinds, ","), kind) {
			return tab.name
		}
	}
	return ""
}

// commands do something with the machines that the page shows. The pages change nothing by themselves.
func (a asked) commands() []web.Step {
	which := ""
	if a.class != "" {
		which = " --param " + map[bool]string{true: "class=", false: "cause="}[isClass(a.class)] + shellWord(a.class)
	}
	if a.params["collection"] != "" {
		which += " --param collection=" + shellWord(a.params["collection"])
	}
	list := "statewire report subject-machines --param subject=" + shellWord(a.kind+"/"+a.id) + which +
		" --columns client_id --no-header --format csv > machines.txt"
	return []web.Step{
		{Where: "Make a collection of these", Command: list + "\nstatewire collection create NAME --file machines.txt"},
		{Where: "Resync these", Command: list + "\nstatewire collection create NAME --file machines.txt" +
			"\nstatewire resync request --collection NAME"},
	}
}

func isClass(name string) bool {
	return together[name] != "" || slices.ContainsFunc(classes, func(c classWord) bool { return c.name == name })
}

// shellWord is a word as a shell reads it.
func shellWord(text string) string {
	return "'" + strings.ReplaceAll(tabular.TerminalSafe(text), "'", `'\''`) + "'"
}

// fillSubject counts the machines.
func (s *Server) fillSubject(ctx context.Context, view *web.SubjectPage, a asked) error {
	rows, err := s.runner.Records(ctx, "subject", a.report(), reports.Page{})
	if err != nil {
		return err
	}
	counts, outside := map[string]int{}, 0
	if len(rows) > 0 {
		a.first = rows[0]
	}
	for _, row := range rows {
		name := cmp.Or(row.Raw("cause"), row.Raw("class"))
		if name == "outside" {
			outside += row.Count("machines")
			continue
		}
		counts[name] += row.Count("machines")
	}
	a.draw(view, counts)
	if outside > 0 {
		view.Chips = append(view.Chips, a.chip("outside", outside))
	}
	view.Why = a.why(outside)
	return nil
}

// draw shows the counts as a bar, as a sum and as chips.
func (a asked) draw(view *web.SubjectPage, counts map[string]int) {
	view.Bar = web.Stack{Title: view.Title, Link: a.link}
	view.Chips = []web.Chip{{Label: "all", Link: address(a.link, a.params), Current: a.class == ""}}
	var sum []string
	for _, name := range ordered(counts) {
		n := counts[name]
		if n == 0 {
			continue
		}
		view.Bar.Total += n
		view.Bar.Segments = append(view.Bar.Segments, web.Segment{Name: classLabel(a.kind, name), Count: n,
			Tone: classTone(name), Link: a.to(name)})
		view.Chips = append(view.Chips, a.chip(name, n))
		sum = append(sum, humanize.Number(n))
	}
	view.Chips[0].Count = humanize.Number(view.Bar.Total)
	view.Bar.Place()
	if len(sum) > 0 {
		view.Sum = strings.Join(sum, " + ") + " = " + humanize.Number(view.Bar.Total)
	}
	view.Percent = shares(counts, a.params[asOfName] != "" && a.first["known_percent"] == nil)
}

// ordered are classes in their order, then causes.
func ordered(counts map[string]int) (out []string) {
	for _, c := range classes {
		if _, ok := counts[c.name]; ok {
			out = append(out, c.name)
		}
	}
	for _, name := range causeOrder {
		if _, ok := counts[name]; ok {
			out = append(out, name)
		}
	}
	return out
}

// causeOrder is that of the rule.
var causeOrder = []string{"waiting", "gap", "set_aside", "unsent", "silent", "clock", "not_scanned", "never_told"}

// to is the page with the machines of one class or cause.
func (a asked) to(name string) string {
	key := "class"
	if !isClass(name) {
		key = "cause"
	}
	return address(a.link, a.params, key, name) + "#machines"
}

func (a asked) chip(name string, n int) web.Chip {
	return web.Chip{Label: classLabel(a.kind, name), Count: humanize.Number(n), Link: a.to(name), Tone: classTone(name),
		Current: a.class == name}
}

// shares are the three percentages, each rounded down to one decimal, so that 100.0 means all. Silent says that nobody
// knows why machines had said nothing: two of the three have no value then.
func shares(counts map[string]int, silent bool) []web.Tile {
	good := counts["compliant"]
	needs := good + counts["bad"] + counts["pending"] + counts["restart"] + counts["failed"]
	unknown := counts["said_unknown"] + counts["not_known"]
	for _, cause := range causeOrder {
		unknown += counts[cause]
	}
	all := needs + unknown + counts["not_applicable"] + counts["not_applicable_implied"]
	tile := func(label, note string, part, whole int) web.Tile {
		t := web.Tile{Label: label, Value: dash, Note: "no machine needs it", Tone: web.TonePlain}
		if whole > 0 {
			t.Value = fmt.Sprintf("%d.%d %%", 1000*part/whole/10, 1000*part/whole%10)
			t.Note = fmt.Sprintf("%s of %s %s", humanize.Number(part), humanize.Number(whole), note)
			t.Tone = shareTone(100 * float64(part) / float64(whole))
		}
		return t
	}
	compliant := tile("Compliant", "that need it and have said so", good, needs)
	if silent {
		unkept := func(label string) web.Tile {
			return web.Tile{Label: label, Value: dash, Note: "kept for the ends of days", Tone: web.TonePlain}
		}
		return []web.Tile{compliant, unkept("At least"), unkept("Known")}
	}
	return []web.Tile{
		compliant,
		tile("At least", "if all that are not known lack it", good, needs+unknown),
		tile("Known", "have said, or need it not", all-unknown, all),
	}
}

// why says which rule counted, in words.
func (a asked) why(outside int) []string {
	var out []string
	switch a.first.Raw("counted") {
	case "targeted":
		out = append(out, "It has a target: the members of the collection "+a.row.Text("target")+
			" count, whatever anybody else once said of it (counted: targeted).")
	case "scanned":
		out = append(out, "It is an update without a target: machines count that said something of it, or that have ever "+
			"completed a scan for updates (counted: scanned).",
			"A machine whose last scan is not older than the first word of this update on the site, and of which no message "+
				"is missing, looked and does not need it: not applicable, implied.")
	default:
		out = append(out, "It has no target: only machines count that said something of it (counted: reported).")
	}
	if n := a.first.Count("outside_spoke"); n > 0 {
		out = append(out, plural(n, "machine", "machines")+" outside the target once said something of it.")
	}
	if n := a.first.Count("stale"); n > 0 {
		out = append(out, plural(n, "machine that counts", "machines that count")+" did not report for long "+
			"(reports.stale_after); each stays in the class that it last said.")
	}
	if outside > 0 {
		out = append(out, plural(outside, "machine", "machines")+" of the scope "+humanize.Plural(outside, "is", "are")+
			" outside, in no percentage.")
	}
	out = append(out, "The percentage is compliant of those that need it: compliant and not compliant (restart, "+
		"pending, required, failed). What is not applicable or not known is in none. Each is rounded down, so that 100.0 means all.")
	return out
}

// fillCauses says why machines are not known, and what helps.
func (s *Server) fillCauses(ctx context.Context, view *web.SubjectPage, a asked) error {
	rows, err := s.runner.Records(ctx, "not-known", a.report(), reports.Page{})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if n := row.Count("machines"); n > 0 {
			name := row.Raw("cause")
			view.Causes = append(view.Causes, web.Cause{Title: firstUpper(classLabel(a.kind, name)), Machines: n,
				Helps: firstUpper(row.Text("what_helps")), Link: a.to(name)})
		}
	}
	return nil
}

// hidden are parameters that a form keeps as they are.
func hidden(query url.Values, names ...string) (out []web.Field) {
	for _, name := range names {
		if value := query.Get(name); value != "" {
			out = append(out, web.Field{Name: name, Value: value})
		}
	}
	return out
}

// table is a page of a report within another page, whose own address continues it.
func (s *Server) table(ctx context.Context, name string, params map[string]string, cursor, path string,
	kept map[string]string) (*web.Report, error) {
	report, err := s.runner.Catalog().Get(name)
	if err != nil {
		return nil, err
	}
	for key, value := range params {
		if value == "" {
			delete(params, key)
		}
	}
	view := &web.Report{Name: report.Name, Title: report.Title}
	req := request{params: params, page: reports.Page{Limit: subjectRows, Cursor: cursor}}
	if err := s.fillReport(ctx, view, report, req); err != nil {
		var param *reports.ParamError
		if errors.As(err, &param) {
			return nil, newProblem(http.StatusBadRequest, "bad_parameter", param.Error())
		}
		return nil, err
	}
	turn := func(link *string) {
		if *link == "" {
			return
		}
		u, err := url.Parse(*link)
		if err != nil {
			return
		}
		*link = address(path, kept, "cursor", u.Query().Get("cursor"))
	}
	turn(&view.First)
	turn(&view.Next)
	return view, nil
}
