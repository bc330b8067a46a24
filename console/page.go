package console

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// reportList is the page of all reports.
func (s *Server) reportList(w http.ResponseWriter, r *http.Request) {
	var list web.List
	for _, rep := range s.runner.Catalog().List() {
		if n := len(list.Groups); n == 0 || list.Groups[n-1].Name != rep.Group {
			list.Groups = append(list.Groups, web.Group{Name: rep.Group})
		}
		group := &list.Groups[len(list.Groups)-1]
		group.Reports = append(group.Reports, web.Entry{Name: rep.Name, Title: rep.Title, Description: rep.Description,
			Link: "/reports/" + rep.Name})
	}
	for _, problem := range s.runner.Catalog().Problems() {
		list.LeftOut = append(list.LeftOut, strings.TrimPrefix(problem.Error(), s.cfg.Dir+"/"))
	}
	s.render(w, r, http.StatusOK, "list", web.Page{Title: "Reports", Section: "reports", Body: list})
}

// reportPage shows one report with its parameters as a form.
func (s *Server) reportPage(w http.ResponseWriter, r *http.Request) {
	report, err := s.runner.Catalog().Get(r.PathValue("name"))
	if err != nil {
		s.errorPage(w, r, newProblem(http.StatusNotFound, "no_report", "There is no report of this name."))
		return
	}
	view := &web.Report{Name: report.Name, Title: report.Title, Description: report.Description, Query: report.Query}
	status := http.StatusOK
	req, err := readRequest(report, r.URL.Query())
	if err == nil {
		err = report.CheckNames(req.params)
	}
	for _, p := range report.Params {
		view.Fields = append(view.Fields, s.field(r.Context(), p, req.params))
	}
	switch {
	case err != nil:
	case lacks(report, req.params):
		view.Missing = true
	default:
		err = s.fillReport(r.Context(), view, report, req)
	}
	if err != nil {
		problem := problemOf(err)
		s.logFailure(report.Name, err)
		status, view.Problem = problem.Status, problem.Detail
	}
	find := ""
	if report.Name == "clients" {
		find = req.params["name"]
	}
	page := web.Page{Title: report.Title, Section: "reports", Find: find, Body: view}
	if slices.ContainsFunc(report.Params, func(p reports.Param) bool { return p.Name == asOfName }) {
		page.Then = s.then(r)
	}
	s.render(w, r, status, "report", page)
}

// lacks says that a required parameter isn't given or empty, as when the page is first opened.
func lacks(r *reports.Report, params map[string]string) bool {
	for _, p := range r.Params {
		if p.Required && strings.TrimSpace(params[p.Name]) == "" {
			return true
		}
	}
	return false
}

func fieldOf(p reports.Param, given map[string]string) web.Field {
	value, ok := given[p.Name]
	if !ok {
		value = p.Default
	}
	f := web.Field{
		Name: p.Name, Label: web.Label(p.Name), Value: value, Description: p.Description,
		Required: p.Required, Numeric: tabular.Numeric(p.Type),
	}
	allowed := p.Allowed
	if p.Type == "Bool" {
		allowed = []string{"true", "false"}
	}
	for _, value := range allowed {
		f.Options = append(f.Options, web.Option{Value: value, Label: cmp.Or(web.Label(value), "any")})
	}
	return f
}

// fillReport runs the report and puts one page of it into the view.
func (s *Server) fillReport(ctx context.Context, view *web.Report, report *reports.Report, req request) error {
	limit := req.page.Limit
	if limit == 0 {
		limit = pageRows
	}
	if limit < 1 || limit > maxPageRows/10 {
		return &reports.ParamError{Report: report.Name, Param: "limit",
			Reason: fmt.Sprintf("has to be from 1 to %d on a page", maxPageRows/10)}
	}
	if len(report.Order) == 0 {
		limit = maxPageRows // such reports are short and can't be continued
	}
	rows, err := s.runner.Run(ctx, report.Name, req.params, reports.Page{Limit: limit, Cursor: req.page.Cursor, Sort: req.page.Sort})
	if err != nil {
		return err
	}
	defer rows.Close()
	table := newPageTable(rows, view, s.now())
	for row := rows.Next(); row != nil; row = rows.Next() {
		table.add(row)
	}
	if rows.Err() != nil {
		return rows.Err()
	}
	if table.finish(); len(view.Rows) == 0 {
		view.Empty = firstUpper(rows.Why()) + "."
	}
	s.addLinks(view, req, rows)
	return nil
}

func (s *Server) addLinks(view *web.Report, req request, rows *reports.Rows) {
	query := url.Values{}
	for name, value := range req.params {
		query.Set(name, value)
	}
	address := func(path, key, value string) string {
		q := url.Values{}
		for name, values := range query {
			q[name] = values
		}
		if value != "" {
			q.Set(key, value)
		}
		if req.page.Limit > 0 && key == "cursor" {
			q.Set("limit", strconv.Itoa(req.page.Limit))
		}
		if req.page.Sort != "" {
			q.Set("sort", req.page.Sort)
		}
		if len(q) == 0 {
			return path
		}
		return path + "?" + q.Encode()
	}
	for _, f := range []reports.Format{reports.CSV, reports.JSONL, reports.JSON, reports.Parquet} {
		view.Downloads = append(view.Downloads, web.Download{Label: strings.ToUpper(string(f)),
			Link: address("/api/v1/reports/"+view.Name, "format", string(f))})
	}
	if req.page.Cursor != "" {
		view.First = address("/reports/"+view.Name, "cursor", "")
	}
	if next := rows.NextPage(); next != "" {
		view.Next = address("/reports/"+view.Name, "cursor", next)
	}
	n := len(view.Rows)
	view.Count = fmt.Sprintf("%s %s", humanize.Number(n), humanize.Plural(n, "row", "rows"))
	if rows.More() {
		view.Count += " on this page, more follow"
	} else if req.page.Cursor != "" {
		view.Count += " on the last page"
	}
}

// pageAge is how old what the pages show is.
func (s *Server) pageAge(ctx context.Context) web.Age {
	f := s.age(ctx)
	return web.Age{AsOf: f.AsOf, Text: f.Text(), Stale: f.Stale, Refresh: max(1, int(s.cfg.Refresh.Seconds()))}
}

// render writes a page, or an error when its template fails.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, page web.Page) {
	var out bytes.Buffer
	page.Alarm, page.Age = s.alarm(r.Context()).Text, s.pageAge(r.Context())
	if err := s.pages.Render(&out, name, page); err != nil {
		s.log.Error("render page", "page", r.URL.Path, "err", err)
		newProblem(http.StatusInternalServerError, "internal",
			"the page could not be made: the server's log says why").serve(w)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the reader has gone
}

func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, p *Problem) {
	s.render(w, r, p.Status, "problem", web.Page{Title: p.Title,
		Body: web.Problem{Status: p.Status, Title: p.Title, Detail: p.Detail}})
}
