package console

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"statewire/internal/control"
	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/names"
)

// titles keeps what people call topic ids.
type titles interface {
	Load(context.Context, names.List, names.Options) (names.Result, error)
}

// routeNames adds what compliance is asked about, and what people call it.
func (s *Server) routeNames(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	put := huma.Operation{OperationID: "load-names", Method: http.MethodPut, Path: "/api/v1/names",
		Summary: "Load titles, groups and targets", Tags: []string{"subjects"}, Responses: refusals(schemas),
		Description: "The body is CSV or JSON lines, as for `statewire names load`. A wrong line is refused with its " +
			"number, and nothing is loaded."}
	huma.Register(api, put, s.apiLoadNames)
	text := &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	api.OpenAPI().Paths[put.Path].Put.RequestBody = &huma.RequestBody{Required: true,
		Content: map[string]*huma.MediaType{"text/csv": text, "application/x-ndjson": text}}
	huma.Register(api, huma.Operation{OperationID: "list-subjects", Method: http.MethodGet, Path: "/api/v1/subjects",
		Summary: "What compliance is asked about, with titles", Tags: []string{"subjects"},
		Description: "The rows of the report `names`. " + pagingText, Responses: reportResponses(schemas)}, s.apiSubjects)
	huma.Register(api, huma.Operation{OperationID: "show-subject", Method: http.MethodGet,
		Path: "/api/v1/subjects/{kind}/{id}", Summary: "One subject: how it is counted, and where its machines stand",
		Tags: []string{"subjects"}, Responses: refusals(schemas)}, s.apiSubject)
}

type namesInput struct {
	givenQuery
	DryRun  string `query:"dry_run" doc:"true: only count what would change"`
	Replace string `query:"replace" doc:"true: take away what the columns say of ids that the body does not have"`

	body io.Reader
}

// Resolve keeps the body, which is read once the parameters are known to be right. It may be long: it gets as much time
// as a download.
func (in *namesInput) Resolve(ctx huma.Context) []error {
	in.givenQuery.Resolve(ctx)
	in.body = ctx.BodyReader()
	_, out := humago.Unwrap(ctx)
	_ = http.NewResponseController(out).SetReadDeadline(time.Now().Add(time.Minute)) // else the server's own limit stays
	return nil
}

type namesOutput struct{ Body names.Result }

func (s *Server) apiLoadNames(ctx context.Context, in *namesInput) (*namesOutput, error) {
	if err := in.refuse("dry_run", "replace"); err != nil {
		return nil, err
	}
	by := callerOf(ctx)
	o := names.Options{By: &control.Who{Actor: by.Actor, Role: string(by.Role), From: by.From}}
	for name, flag := range map[string]*bool{"dry_run": &o.DryRun, "replace": &o.Replace} {
		switch in.query.Get(name) {
		case "", "false", "0":
		case "true", "1":
			*flag = true
		default:
			return nil, newProblem(http.StatusBadRequest, "bad_parameter",
				fmt.Sprintf("parameter %q has to be true or false", name))
		}
	}
	var reader names.Reader
	if err := reader.Read("", in.body); err != nil {
		return nil, namesProblem(err)
	}
	if s.titles == nil {
		return nil, noNames()
	}
	result, err := s.titles.Load(ctx, reader.List(), o)
	if err != nil {
		var wrong *control.InvalidError
		if !errors.As(err, &wrong) {
			s.log.Warn("names not loaded", "err", err)
		}
		return nil, namesProblem(err)
	}
	return &namesOutput{result}, nil
}

func noNames() *Problem {
	return newProblem(http.StatusServiceUnavailable, "names_away",
		"names could not be changed: the process with the resync role, which keeps them, does not answer, or its log "+
			"says why")
}

// namesProblem says what is wrong with a file of names.
func namesProblem(err error) *Problem {
	var line *names.LineError
	var wrong *control.InvalidError
	switch {
	case errors.As(err, &line):
		return newProblem(http.StatusBadRequest, "bad_names", line.Error())
	case errors.Is(err, names.ErrTooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, "body_too_large", err.Error())
	case errors.As(err, &wrong):
		return newProblem(http.StatusBadRequest, "bad_names", wrong.Problem)
	}
	return noNames()
}

type subjectsInput struct {
	Search  string `query:"search" doc:"Only those with this in title, article or id"`
	Kind    string `query:"kind" doc:"Only update, deployment, baseline, scan or other"`
	Group   string `query:"group" doc:"Only those of this group"`
	Missing string `query:"missing" doc:"1: only those without a title"`
	Format  string `query:"format" doc:"json (default), jsonl, csv or parquet"`
	Limit   string `query:"limit" doc:"Rows of this page"`
	Cursor  string `query:"cursor" doc:"Where to continue: next of the page before"`
	Sort    string `query:"sort" doc:"Column to order all rows by, or COLUMN:desc; then there is no next page"`
	givenQuery
}

func (s *Server) apiSubjects(ctx context.Context, in *subjectsInput) (*huma.StreamResponse, error) {
	return s.apiRun(ctx, &runInput{Name: "names", givenQuery: in.givenQuery})
}

type subjectInput struct {
	givenQuery
	Kind       string `path:"kind" doc:"update, deployment, baseline, scan or other"`
	ID         string `path:"id" doc:"The topic id"`
	Collection string `query:"collection" doc:"Only over the members of this collection"`
}

// SubjectAnswer is what compliance is asked about, and where its machines stand.
type SubjectAnswer struct {
	Kind         string `json:"kind"`
	TopicType    uint64 `json:"topic_type" doc:"The leading type"`
	TopicID      string `json:"topic_id"`
	Title        string `json:"title"`
	TitleSource  string `json:"title_source" enum:"file,pack,agent,derived"`
	Article      string `json:"article"`
	Severity     string `json:"severity"`
	Released     any    `json:"released"`
	URL          string `json:"url"`
	Group        string `json:"group"`
	Target       string `json:"target" doc:"The collection whose members are counted; empty: none is set"`
	SupersededBy string `json:"superseded_by"`
	FirstSeen    any    `json:"first_seen" doc:"null: nobody has told of it yet"`
	Counted      string `json:"counted" enum:"targeted,scanned,reported" doc:"The rule that decides over whom"`

	Classes []map[string]any `json:"classes" doc:"Rows of the report subject: they add up to the scope"`
}

type subjectOutput struct{ Body *SubjectAnswer }

//go:embed sql/subject.sql
var subjectSQL string

func (s *Server) apiSubject(ctx context.Context, in *subjectInput) (*subjectOutput, error) {
	if err := in.refuse("collection"); err != nil {
		return nil, err
	}
	found, err := s.runner.Ask(ctx, "subject-names", subjectSQL, map[string]string{"kind": in.Kind, "topic_id": in.ID})
	if err != nil {
		s.logFailure("subject", err)
		return nil, problemOf(err)
	}
	if len(found) == 0 {
		return nil, newProblem(http.StatusNotFound, "no_subject",
			"no client has told of this id, and no target is set for it: /api/v1/subjects?search= finds ids and titles")
	}
	params := map[string]string{"subject": in.Kind + "/" + in.ID}
	if in.Collection != "" {
		params["collection"] = in.Collection
	}
	classes, err := s.runner.Records(ctx, "subject", params, reports.Page{})
	if err != nil {
		s.logFailure("subject", err)
		return nil, problemOf(err)
	}
	return &subjectOutput{subjectAnswer(found[0], classes)}, nil
}

func subjectAnswer(r reports.Record, classes []reports.Record) *SubjectAnswer {
	out := &SubjectAnswer{Kind: r.Raw("kind"), TopicType: r.Uint("topic_type"), TopicID: r.Raw("topic_id"),
		Title: r.Raw("title"), TitleSource: r.Raw("title_source"), Article: r.Raw("article"), Severity: r.Raw("severity"),
		Released: plain(r["released"]), URL: r.Raw("url"), Group: r.Raw("group"), Target: r.Raw("target"),
		SupersededBy: r.Raw("superseded_by"), FirstSeen: plain(r["first_seen"]), Counted: r.Raw("counted"),
		Classes: []map[string]any{}}
	for _, c := range classes {
		row := map[string]any{}
		for name, value := range c {
			if !strings.HasPrefix(name, "_") {
				row[name] = plain(value)
			}
		}
		out.Classes = append(out.Classes, row)
	}
	return out
}

// plain is a value as JSON has it: times as text.
func plain(v any) any {
	switch v := v.(type) {
	case time.Time:
		return tabular.TimeText(v)
	case tabular.Date:
		return tabular.Text(v)
	}
	return v
}
