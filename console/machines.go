package console

import (
	"maps"
	"net/http"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/reports"
)

// machineProblems are the filters of the machines, by the class that the summary of them has.
var machineProblems = []struct {
	class, problem, label string
	tone                  web.Tone
}{
	{"", "", "all", ""},
	{"failed", "failed", "failed", web.ToneBad},
	{"restart", "restart", "restart", web.ToneBusy},
	{"required", "required", "need updates", web.ToneBad},
	{"not_known", "not_known", "not known", web.ToneUnknown},
	{"compliant", "none", "compliant", web.ToneGood},
}

// machines is the page of all machines, those that need most first.
func (s *Server) machines(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	params := given(query, "problem", "collection", "group", "search", asOfName)
	view := &web.Machines{Filters: s.filters(r.Context(), "/machines", params, "collection", "group", "search", asOfName)}
	view.Filters.Hidden = hidden(query, "problem")
	rows, err := s.machineClasses(r.Context(), scopeOf(params))
	if err == nil {
		view.Chips = machineChips(rows, params)
		view.Table, err = s.table(r.Context(), "machines", maps.Clone(params), query.Get("cursor"), "/machines", params)
	}
	status := http.StatusOK
	if err != nil {
		problem := problemOf(err)
		s.logFailure("machines", err)
		status, view.Problem = problem.Status, firstUpper(problem.Detail)
	}
	s.render(w, r, status, "machines", web.Page{Title: "Machines", Section: "machines", Then: s.then(r), Body: *view})
}

// machineChips are the filters with their counts; a search or a group is asked of the list only: they have none then.
func machineChips(rows []reports.Record, params map[string]string) (out []web.Chip) {
	counts, all := map[string]int{}, 0
	for _, row := range rows {
		counts[row.Raw("class")] = row.Count("machines")
		all += row.Count("machines")
	}
	counts[""] = all
	for _, p := range machineProblems {
		chip := web.Chip{Label: p.label, Tone: p.tone, Link: address("/machines", params, "problem", p.problem),
			Current: params["problem"] == p.problem}
		if params["group"] == "" && params["search"] == "" {
			chip.Count = humanize.Number(counts[p.class])
		}
		out = append(out, chip)
	}
	return out
}

// collections is the page of all collections with their members and how those stand.
func (s *Server) collections(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	params := given(query, "group", asOfName)
	view := &web.Collections{Filters: s.filters(r.Context(), "/collections", params, "group", asOfName)}
	if params[asOfName] == "" {
		view.Commands = []web.Step{
			{Where: "A list of clients:", Command: "statewire collection create pilot --file pilot.txt"},
			{Where: "Whoever a saved query yields:", Command: "statewire collection create servers --query " +
				`"SELECT client_id FROM clients WHERE netbios_name LIKE 'SRV-%'"`},
		}
	}
	status := http.StatusOK
	var err error
	view.Table, err = s.table(r.Context(), "collections-compliance", maps.Clone(params), query.Get("cursor"),
		"/collections", params)
	if err != nil {
		problem := problemOf(err)
		s.logFailure("collections-compliance", err)
		status, view.Problem = problem.Status, firstUpper(problem.Detail)
	} else if len(view.Table.Rows) == 0 {
		view.Table = nil
	}
	s.render(w, r, status, "collections",
		web.Page{Title: "Collections", Section: "collections", Then: s.then(r), Body: *view})
}

// names is the page of what things are called: first the ids that have no title, by how many machines they concern.
func (s *Server) names(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	params := given(query, "search", "all")
	view := &web.Names{Filters: s.filters(r.Context(), "/names", params, "search")}
	view.Filters.Hidden = hidden(query, "all")
	view.Commands = []web.Step{
		{Where: "Ids without a title, in the form that can be loaded again:",
			Command: "statewire names export --missing > names.csv"},
		{Where: "With titles filled in:",
			Command: "statewire names load names.csv --dry-run\nstatewire names load names.csv"},
	}
	asked := given(query, "search")
	view.Tabs = []web.Tab{
		{Title: "Without a title", Link: address("/names", params, "all", ""), Current: params["all"] == ""},
		{Title: "All", Link: address("/names", params, "all", "true"), Current: params["all"] != ""},
	}
	if params["all"] == "" {
		asked["missing"] = "1"
	}
	status := http.StatusOK
	var err error
	if view.Table, err = s.table(r.Context(), "names", asked, query.Get("cursor"), "/names", params); err != nil {
		problem := problemOf(err)
		s.logFailure("names", err)
		status, view.Problem = problem.Status, firstUpper(problem.Detail)
	} else if len(asked) == 1 && asked["missing"] != "" {
		view.Table.Empty = "No client has told of an id that lacks a title."
	}
	s.render(w, r, status, "names", web.Page{Title: "Names", Section: "names", Body: *view})
}
