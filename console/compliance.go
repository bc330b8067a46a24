package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// complianceTab is one list of the page: a report, or kinds of subjects that no report lists.
type complianceTab struct {
	name, title, kind, report string
	kinds                     string
	nothing                   string // said where the site has none
}

var complianceTabs = []complianceTab{
	{"updates", "Updates", "update", "updates", "",
		"No client of this site has told of an update yet. Updates come with the first scan (topic type 500)."},
	{"deployments", "Deployments", "deployment", "deployments", "",
		"No client of this site has told of a deployment yet (topic types 300 to 302)."},
	{"baselines", "Baselines", "baseline", "", "baseline",
		"No client of this site has told of a baseline yet (topic type 401)."},
	{"other", "Other", "", "", "scan,other",
		"No client of this site has told of anything else that says good or bad."},
}

// filterNames are the parameters that narrow a list of subjects, and say as of when it is.
var filterNames = []string{"collection", "group", "severity", "search", asOfName}

// given are those of these parameters that a reader filled in: a form sends the others empty.
func given(q url.Values, names ...string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		if text := strings.TrimSpace(q.Get(name)); text != "" {
			out[name] = text
		}
	}
	return out
}

// address is a page's with parameters; empty ones are left out.
func address(path string, params map[string]string, more ...string) string {
	q := url.Values{}
	for name, value := range params {
		q.Set(name, value)
	}
	for i := 0; i+1 < len(more); i += 2 {
		if q.Del(more[i]); more[i+1] != "" {
			q.Set(more[i], more[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// compliance is the page of all subjects, those that need most first.
func (s *Server) compliance(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	name := cmp.Or(query.Get("tab"), "updates")
	at := slices.IndexFunc(complianceTabs, func(t complianceTab) bool { return t.name == name })
	if at < 0 {
		s.errorPage(w, r, newProblem(http.StatusNotFound, "no_page", "There is no list of this name."))
		return
	}
	tab, params := complianceTabs[at], given(query, filterNames...)
	view := &web.Compliance{Filters: s.filters(r.Context(), "/compliance", params, filterNames...)}
	for _, t := range complianceTabs {
		view.Tabs = append(view.Tabs, web.Tab{Title: t.title, Link: address("/compliance", params, "tab", t.name),
			Current: t.name == name})
	}
	view.Filters.Hidden = []web.Field{{Name: "tab", Value: name}}
	status := http.StatusOK
	if err := s.fillSubjects(r.Context(), view, tab, params, query.Get("cursor")); err != nil {
		problem := problemOf(err)
		s.logFailure("compliance", err)
		status, view.Problem = problem.Status, firstUpper(problem.Detail)
	}
	s.render(w, r, status, "compliance",
		web.Page{Title: "Compliance", Section: "compliance", Then: s.then(r), Body: *view})
}

// filters are the fields that narrow a list.
func (s *Server) filters(ctx context.Context, path string, params map[string]string, names ...string) web.Filters {
	out := web.Filters{Action: path}
	for _, name := range names {
		switch name {
		case "search":
			out.Search = web.Field{Name: name, Label: "Search", Value: params[name]}
			continue
		case asOfName:
			out.Fields = append(out.Fields, s.asOfField(params[name]))
			continue
		}
		f := s.field(ctx, reports.Param{Name: name, Type: "String"}, params)
		if len(f.Options) > 1 || f.Value != "" { // nothing to choose from: no field
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}

// fillSubjects puts the list of a tab into the view.
func (s *Server) fillSubjects(ctx context.Context, view *web.Compliance, tab complianceTab, params map[string]string,
	cursor string) error {
	if tab.report == "" {
		return s.fillKinds(ctx, view, tab, params)
	}
	rows, err := s.runner.Run(ctx, tab.report, params, reports.Page{Limit: subjectRows, Cursor: cursor})
	if err != nil {
		return err
	}
	defer rows.Close()
	for row := rows.Next(); row != nil; row = rows.Next() {
		rec := reports.Record{}
		for i, c := range rows.Columns {
			rec[c.Name] = row[i]
		}
		view.Subjects = append(view.Subjects, subjectRow(tab.kind, rec, scopeOf(params)))
	}
	if rows.Err() != nil {
		return rows.Err()
	}
	if next := rows.NextPage(); next != "" {
		view.Next = address("/compliance", params, "tab", tab.name, "cursor", next)
	}
	if cursor != "" {
		view.First = address("/compliance", params, "tab", tab.name)
	}
	view.Export = exports(tab.report, params)
	s.countSubjects(ctx, view, tab, params, rows.More())
	return nil
}

// subjectRows is how many subjects, or machines of one, a page draws: a phone shows each as a card.
const subjectRows = 50

// fillKinds lists subjects that no report lists. They are counted for the whole site.
func (s *Server) fillKinds(ctx context.Context, view *web.Compliance, tab complianceTab,
	params map[string]string) error {
	if callerOf(ctx).Scoped() {
		return newProblem(http.StatusForbidden, "out_of_scope", fmt.Sprintf("%s are counted for the whole site only: the "+
			"page of each, /subjects/KIND/ID, counts one of the caller's collections.", listOf(tab)))
	}
	asked := map[string]string{"kinds": tab.kinds}
	for _, name := range []string{"group", "severity", "search"} {
		asked[name] = params[name]
	}
	query := "subjects_of_kind"
	if params[asOfName] != "" {
		query = "subjects_of_kind_day"
		var err error
		if asked["day"], err = s.countedDay(ctx, tab, params); err != nil {
			return err
		}
	}
	rows, err := s.ask(ctx, query, asked)
	if err != nil {
		return err
	}
	for _, row := range rows {
		view.Subjects = append(view.Subjects, subjectRow(row.Raw("kind"), row, scopeOf(params)))
	}
	s.countSubjects(ctx, view, tab, params, false)
	if params["collection"] != "" && len(rows) > 0 {
		view.Count += ", counted for the whole site; the page of each counts the collection"
	}
	return nil
}

// countedDay is the day that a list is about whose subjects are counted at the ends of days only. What no report takes
// is refused in a report's words.
func (s *Server) countedDay(ctx context.Context, tab complianceTab, params map[string]string) (string, error) {
	if _, err := s.machineClasses(ctx, scopeOf(params)); err != nil {
		return "", err
	}
	then := readMoment(params[asOfName], s.zone())
	if !then.isDay {
		return "", newProblem(http.StatusBadRequest, "bad_parameter", fmt.Sprintf("%s are listed as of the end of a "+
			"day: give a date. The page of each can be asked as of any time.", listOf(tab)))
	}
	return then.at.Format(time.DateOnly), nil
}

// listOf is what a tab lists, as a sentence begins.
func listOf(tab complianceTab) string {
	if tab.name == "other" {
		return "Other subjects"
	}
	return tab.title
}

// countSubjects says how many lines there are, or why there is none.
func (s *Server) countSubjects(ctx context.Context, view *web.Compliance, tab complianceTab, params map[string]string,
	more bool) {
	n := len(view.Subjects)
	view.Count = plural(n, strings.TrimSuffix(strings.ToLower(tab.title), "s"), strings.ToLower(tab.title))
	if tab.name == "other" {
		view.Count = plural(n, "other subject", "other subjects")
	}
	if more {
		view.Count += " on this page, more follow"
	}
	view.Count += ", those that most machines need first"
	switch {
	case n > 0:
		view.Sentence = s.sentence(ctx, params)
	case len(params) > 0:
		view.Empty = "Nothing fits these filters: " + filterWords(params) + "."
	default:
		view.Empty = tab.nothing
	}
}

func filterWords(params map[string]string) string {
	var out []string
	for _, name := range filterNames {
		if params[name] != "" {
			out = append(out, web.Label(name)+" "+tabular.TerminalSafe(tabular.Shorten(params[name], 80)))
		}
	}
	return strings.Join(out, ", ")
}

// sentence says how many machines have all that they need; nothing where that is asked of some subjects only.
func (s *Server) sentence(ctx context.Context, params map[string]string) string {
	if params["group"] != "" || params["severity"] != "" || params["search"] != "" {
		return ""
	}
	rows, err := s.machineClasses(ctx, scopeOf(params))
	if err != nil || len(rows) == 0 {
		return ""
	}
	row := rows[0]
	need, have, unknown := row.Count("need_any"), row.Count("have_all"), row.Count("not_known")
	text := "No machine is known to need any of these."
	if need > 0 {
		text = fmt.Sprintf("%s of %s that %s an update, a deployment or a baseline %s all of them (%s).",
			humanize.Number(have), plural(need, "machine", "machines"), humanize.Plural(need, "needs", "need"),
			humanize.Plural(have, "has", "have"), percentText(row, "have_all_percent"))
	}
	switch {
	case unknown == 1:
		text += " 1 is not known."
	case unknown > 1:
		text += " " + humanize.Number(unknown) + " are not known."
	}
	return text
}

// machineClasses are the machines of a scope by class. Only those of the whole site now are kept for the next reader.
func (s *Server) machineClasses(ctx context.Context, scope map[string]string) ([]reports.Record, error) {
	if len(scope) == 0 {
		return s.snapshots.get(ctx, "machines-summary", nil)
	}
	return s.runner.Records(ctx, "machines-summary", scope, reports.Page{})
}

// scopeOf is over whom, and as of when, a page counts: what every link from there keeps.
func scopeOf(params map[string]string) map[string]string {
	out := map[string]string{}
	for _, name := range []string{"collection", asOfName} {
		if params[name] != "" {
			out[name] = params[name]
		}
	}
	return out
}

// percentText is a share as the report rounded it; empty where there is none.
func percentText(row reports.Record, column string) string {
	if row[column] == nil {
		return ""
	}
	return tabular.Text(row[column]) + "\u00a0%" // on one line
}

// exports are the forms in which all rows of a report can be had.
func exports(report string, params map[string]string) (out []web.Download) {
	for _, f := range []reports.Format{reports.CSV, reports.JSONL, reports.JSON, reports.Parquet} {
		out = append(out, web.Download{Label: strings.ToUpper(string(f)),
			Link: address("/api/v1/reports/"+report, params, "format", string(f))})
	}
	return out
}

// subjectRow is one line of the list. What is not applicable is in no percentage, and in no bar: most machines would
// hide the few that need it.
func subjectRow(kind string, row reports.Record, scope map[string]string) web.Subject {
	id, title := row.Raw("topic_id"), row.Text("title")
	at := kind
	if kind == "other" {
		at = row.Raw("topic_type")
	}
	link := subjectLink(at, id)
	out := web.Subject{Severity: row.Text("severity"), Percent: percentText(row, "percent"), Tone: web.TonePlain}
	out.Stack = web.Stack{Title: cmp.Or(tabular.Shorten(title, 160), "(no id)"), Link: address(link, scope)}
	if id != title {
		out.ID = tabular.Shorten(tabular.TerminalSafe(id), 120)
	}
	counts := subjectCounts(row)
	for _, c := range classes {
		n := counts[c.name]
		if n == 0 || c.name == "not_applicable" || c.name == "outside" {
			continue
		}
		class := c.name
		if class == "not_known" {
			class = "unknown" // with those that said so themselves
		}
		out.Total += n
		out.Segments = append(out.Segments, web.Segment{Name: classLabel(kind, c.name), Count: n, Tone: c.tone,
			Link: address(link, scope, "class", class)})
	}
	out.Place()
	switch out.Note = ""; {
	case counts["not_applicable"] > 0:
		out.Note = humanize.Number(counts["not_applicable"]) + " not applicable"
	case kind == "deployment" && row.Text("target") != "":
		out.Note = "for " + tabular.Shorten(row.Text("target"), 60)
	}
	return out
}

// subjectCounts are the machines by class, by whichever name a report has for it.
func subjectCounts(row reports.Record) map[string]int {
	out := map[string]int{}
	for column, class := range map[string]string{"compliant": "compliant", "success": "compliant", "bad": "bad",
		"not_compliant": "bad", "pending": "pending", "in_progress": "pending", "restart": "restart", "failed": "failed",
		"error": "failed", "not_applicable": "not_applicable", "not_known": "not_known", "said_nothing": "said_nothing",
		"other": "other"} {
		out[class] += row.Count(column)
	}
	return out
}
