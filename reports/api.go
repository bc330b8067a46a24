package reports

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Rows of one JSON answer: when nobody says how many, and at most.
const (
	pageRows    = 100
	maxPageRows = 10_000
)

// routeAPI adds /api/v1. The description at /api/v1/openapi.json also names every report with its parameters.
func (s *Server) routeAPI(mux *http.ServeMux, version string) {
	config := huma.DefaultConfig("Statewire reports", version)
	config.OpenAPIPath = "/api/v1/openapi"
	config.DocsPath, config.SchemasPath = "", "" // no page that loads scripts from elsewhere
	config.CreateHooks = nil                     // no $schema members in answers
	config.Info.Description = "Read-only answers about stored state. Times are RFC 3339 in UTC; pages continue with the cursor in `next`; errors are problem+json."
	api := humago.New(mux, config)
	huma.Register(api, huma.Operation{
		OperationID: "list-reports", Method: http.MethodGet, Path: "/api/v1/reports", Summary: "All reports with their parameters", Tags: []string{"reports"},
	}, s.apiList)
	huma.Register(api, huma.Operation{
		OperationID: "run-report", Method: http.MethodGet, Path: "/api/v1/reports/{name}", Summary: "Run a report",
		Description: "Parameters are given by name, as the list of reports describes them. " + pagingText,
		Tags:        []string{"reports"}, Responses: reportResponses(api.OpenAPI().Components.Schemas),
	}, s.apiRun)
	huma.Register(api, huma.Operation{
		OperationID: "site-status", Method: http.MethodGet, Path: "/api/v1/status", Summary: "Age of the data and backlog of the inbox", Tags: []string{"site"},
	}, s.apiStatus)
	for _, r := range s.runner.Catalog().List() {
		s.describe(api.OpenAPI(), r)
	}
}

const pagingText = "JSON answers are pages of `limit` rows (default 100, at most 10,000); the member `next` is the `cursor` of the following page. " +
	"csv, jsonl and parquet give all rows, or fail with an error rather than give fewer."

type listOutput struct {
	Body struct {
		Reports []Listed `json:"reports"`
		LeftOut int      `json:"left_out" doc:"User-added files that could not be read; the server's log and report list name them"`
	}
}

func (s *Server) apiList(context.Context, *struct{}) (*listOutput, error) {
	out := &listOutput{}
	out.Body.Reports = []Listed{}
	for _, r := range s.runner.Catalog().List() {
		out.Body.Reports = append(out.Body.Reports, r.listed())
	}
	out.Body.LeftOut = len(s.runner.Catalog().Problems())
	return out, nil
}

type statusOutput struct {
	Body struct {
		Freshness *Freshness `json:"freshness"`
		Boxes     []boxJSON  `json:"boxes"`
	}
}

type boxJSON struct {
	Name          string  `json:"name" doc:"high, normal, low, process or corrupt"`
	Files         int     `json:"files"`
	Bytes         int64   `json:"bytes"`
	OldestSeconds float64 `json:"oldest_seconds" doc:"Age of the oldest file"`
}

func (s *Server) apiStatus(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	out := &statusOutput{}
	out.Body.Freshness = s.runner.Freshness(ctx)
	out.Body.Boxes = []boxJSON{}
	if s.runner.backlog == nil {
		return out, nil
	}
	boxes, err := s.runner.backlog(ctx)
	if err != nil {
		s.log.Warn("read inbox statistics", "err", err)
		return nil, newProblem(http.StatusServiceUnavailable, "inbox", "the inbox could not be read: the server's log says why")
	}
	for _, b := range boxes {
		out.Body.Boxes = append(out.Body.Boxes, boxJSON{b.Name, b.Files, b.Bytes, b.Oldest.Seconds()})
	}
	return out, nil
}

// runInput takes the parameters from the address as they are: which ones there are depends on the report.
type runInput struct {
	Name   string `path:"name" doc:"Name of the report"`
	Format string `query:"format" doc:"json (default), jsonl, csv or parquet"`
	Limit  string `query:"limit" doc:"Rows of this page"`
	Cursor string `query:"cursor" doc:"Where to continue: next of the page before"`
	Param  string `query:"param" doc:"Another way to give a parameter: NAME=VALUE; may be repeated"`
	query  url.Values
}

// Resolve keeps the whole query.
func (in *runInput) Resolve(ctx huma.Context) []error {
	address := ctx.URL()
	in.query = address.Query()
	return nil
}

var _ huma.Resolver = (*runInput)(nil)

// request is what one address asks for.
type request struct {
	format Format
	params map[string]string
	page   Page
}

// readRequest refuses what is given twice, and what is none of ours when it is used.
func readRequest(name string, query url.Values) (request, error) {
	req := request{format: JSON, params: map[string]string{}}
	for key, values := range query {
		if len(values) > 1 && key != "param" {
			return req, &ParamError{name, fmt.Sprintf("%.40q", key), "is given more than once"}
		}
		var err error
		switch value := values[0]; key {
		case "format":
			req.format, err = ParseFormat(value)
		case "limit":
			if value != "" {
				req.page.Limit, err = strconv.Atoi(value)
			}
		case "cursor":
			req.page.Cursor = value
		case "param":
			err = addPairs(req.params, values)
		default:
			req.params[key] = value
		}
		if err != nil {
			return req, &ParamError{name, key, err.Error()}
		}
	}
	return req, nil
}

func addPairs(params map[string]string, pairs []string) error {
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%.40q is not NAME=VALUE", pair)
		}
		params[name] = value
	}
	return nil
}

func (s *Server) apiRun(ctx context.Context, in *runInput) (*huma.StreamResponse, error) {
	report, err := s.runner.Catalog().Get(in.Name)
	if err != nil {
		return nil, problemOf(err)
	}
	req, err := readRequest(report.Name, in.query)
	if err != nil {
		return nil, problemOf(err)
	}
	if req.format == JSON {
		if req.page.Limit == 0 {
			req.page.Limit = pageRows
		}
		if req.page.Limit < 1 || req.page.Limit > maxPageRows {
			return nil, problemOf(&ParamError{report.Name, "limit", fmt.Sprintf("has to be from 1 to %d", maxPageRows)})
		}
	}
	return s.download(ctx, report, req)
}

// download starts the query before the answer, so that its refusal still gets a status of its own.
func (s *Server) download(ctx context.Context, report *Report, req request) (*huma.StreamResponse, error) {
	if req.format == Table {
		return nil, problemOf(&ParamError{report.Name, "format", "table is for terminals: use json, jsonl, csv or parquet"})
	}
	if req.format == Parquet {
		return s.downloadParquet(ctx, report, req)
	}
	var age *Freshness
	if req.format == JSON {
		age = s.runner.Freshness(ctx)
	}
	rows, err := s.runner.Run(ctx, report.Name, req.params, req.page)
	if err != nil {
		s.logFailure(report.Name, err)
		return nil, problemOf(err)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		s.setType(hctx, report, req.format)
		if err := Write(s.steady(hctx), req.format, rows, age); err != nil {
			s.logFailure(report.Name, err)
			panic(http.ErrAbortHandler) // a broken transfer is the only honest end of half an answer
		}
	}}, nil
}

func (s *Server) downloadParquet(ctx context.Context, report *Report, req request) (*huma.StreamResponse, error) {
	stream, err := s.runner.openParquetReport(ctx, report, req.params, req.page)
	if err != nil {
		s.logFailure(report.Name, err)
		return nil, problemOf(err)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		s.setType(hctx, report, Parquet)
		if err := stream.writeTo(s.steady(hctx)); err != nil {
			s.logFailure(report.Name, err)
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// logFailure leaves out what the caller did wrong.
func (s *Server) logFailure(report string, err error) {
	if problemOf(err).Status >= http.StatusInternalServerError {
		s.log.Warn("report failed", "report", report, "err", err)
	}
}

var mediaTypes = map[Format]string{
	JSON: "application/json", JSONL: "application/x-ndjson", CSV: "text/csv; charset=utf-8", Parquet: "application/vnd.apache.parquet",
}

func (s *Server) setType(ctx huma.Context, report *Report, f Format) {
	ctx.SetHeader("Content-Type", mediaTypes[f])
	if f != JSON {
		name := report.Name + "-" + s.runner.now().UTC().Format("20060102T150405Z") + "." + string(f)
		ctx.SetHeader("Content-Disposition", `attachment; filename="`+name+`"`)
	}
}

// steadyWriter gives a transfer more time as long as it moves, in place of one limit for its whole length.
type steadyWriter struct {
	ctx  huma.Context
	step time.Duration
	next time.Time
	now  func() time.Time
}

func (s *Server) steady(ctx huma.Context) *steadyWriter {
	return &steadyWriter{ctx: ctx, step: 30 * time.Second, now: s.runner.now}
}

func (w *steadyWriter) Write(p []byte) (int, error) {
	if now := w.now(); now.After(w.next) {
		w.next = now.Add(w.step / 2)
		_, out := humago.Unwrap(w.ctx)
		_ = http.NewResponseController(out).SetWriteDeadline(time.Now().Add(w.step)) // not every writer has one; the server's own limit then stays
	}
	return w.ctx.BodyWriter().Write(p)
}

// describe adds one report to the API's description, at its own path.
func (s *Server) describe(doc *huma.OpenAPI, r *Report) {
	op := &huma.Operation{
		OperationID: "report-" + r.Name, Method: http.MethodGet, Path: "/api/v1/reports/" + r.Name,
		Summary: r.Title, Description: r.Description, Tags: []string{r.Group}, Responses: reportResponses(doc.Components.Schemas),
	}
	for _, p := range r.Params {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.Name, In: "query", Required: p.Required, Description: p.Description, Schema: p.schema()})
	}
	for name, text := range map[string]string{"format": "json (default), jsonl, csv or parquet", "limit": "Rows of this page", "cursor": "next of the page before"} {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Description: text, Schema: &huma.Schema{Type: "string"}})
	}
	doc.AddOperation(op)
}

// schema is the parameter's type in the API's description.
func (p Param) schema() *huma.Schema {
	out := &huma.Schema{Type: "string"}
	switch {
	case strings.HasPrefix(p.Type, "UInt"), strings.HasPrefix(p.Type, "Int"):
		out.Type = "integer"
	case p.Type == "Float64":
		out.Type = "number"
	case p.Type == "Bool":
		out.Type = "boolean"
	case p.Type == "UUID":
		out.Format = "uuid"
	case strings.HasPrefix(p.Type, "DateTime"):
		out.Format = "date-time"
	}
	for _, a := range p.Allowed {
		out.Enum = append(out.Enum, a)
	}
	if !p.Required {
		out.Default = p.Default
		if out.Type != "string" && json.Valid([]byte(p.Default)) {
			out.Default = json.RawMessage(p.Default)
		}
	}
	return out
}

// reportAnswer is the shape of a JSON answer, for the API's description.
type reportAnswer struct {
	jsonHead
	Rows []map[string]any `json:"rows" doc:"One object per row, its members named as the columns"`
	Next string           `json:"next,omitempty" doc:"Cursor of the following page"`
	More bool             `json:"more" doc:"Whether the report has rows after these"`
}

func reportResponses(registry huma.Registry) map[string]*huma.Response {
	answer := huma.SchemaFromType(registry, reflect.TypeFor[reportAnswer]())
	problem := huma.SchemaFromType(registry, reflect.TypeFor[Problem]())
	text := &huma.Schema{Type: "string"}
	return map[string]*huma.Response{
		"200": {Description: "The rows", Content: map[string]*huma.MediaType{
			"application/json": {Schema: answer}, "application/x-ndjson": {Schema: text}, "text/csv": {Schema: text}, "application/vnd.apache.parquet": {Schema: text},
		}},
		"default": {Description: "Error", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}},
	}
}
