package console

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"statewire/internal/tabular"
	"statewire/reports"
)

// Rows of one JSON answer: when nobody says how many, and at most.
const (
	pageRows    = 100
	maxPageRows = 10_000
)

// routeAPI adds /api/v1. The description at /api/v1/openapi.json also names every report with its parameters.
func (s *Server) routeAPI(mux *routes, version string) {
	config := huma.DefaultConfig("Statewire", version)
	config.OpenAPIPath = "/api/v1/openapi"
	config.DocsPath, config.SchemasPath = "", "" // no page that loads scripts from elsewhere
	config.Formats = map[string]huma.Format{"application/json": safeJSON, "json": safeJSON}
	config.CreateHooks = nil // no $schema members in answers
	config.Info.Description = "Answers about stored state, and tasks for clients. Times are RFC 3339 in UTC; pages " +
		"continue with " +
		"the cursor in `next`; errors are problem+json."
	api := humago.New(mux, config)
	huma.Register(api, huma.Operation{
		OperationID: "list-reports", Method: http.MethodGet, Path: "/api/v1/reports",
		Summary: "All reports with their parameters", Tags: []string{"reports"},
		Responses: refusals(api.OpenAPI().Components.Schemas),
	}, s.apiList)
	huma.Register(api, huma.Operation{
		OperationID: "run-report", Method: http.MethodGet, Path: "/api/v1/reports/{name}", Summary: "Run a report",
		Description: "Parameters are given by name, as the list of reports describes them. " + pagingText,
		Tags:        []string{"reports"}, Responses: reportResponses(api.OpenAPI().Components.Schemas),
	}, s.apiRun)
	huma.Register(api, huma.Operation{
		OperationID: "site-status", Method: http.MethodGet, Path: "/api/v1/status",
		Summary: "Age of the data and backlog of the inbox", Tags: []string{"site"},
		Responses: refusals(api.OpenAPI().Components.Schemas),
	}, s.apiStatus)
	s.routeClients(api)
	s.routeTasks(api)
	s.routeNames(api)
	for _, r := range s.runner.Catalog().List() {
		s.describe(api.OpenAPI(), r)
	}
}

// safeJSON is JSON that a terminal may show: people call the API with curl.
var safeJSON = huma.Format{
	Marshal:   func(w io.Writer, v any) error { return tabular.WriteJSON(w, v, false) },
	Unmarshal: huma.DefaultJSONFormat.Unmarshal,
}

const pagingText = "JSON answers are pages of `limit` rows (default 100, at most 10,000); the member `next` is the " +
	"`cursor` of the following page. `sort` orders all rows by a column; then there is no following page. " +
	"csv, jsonl and parquet give all rows, or fail with an error rather than give fewer."

type listOutput struct {
	Body struct {
		Reports []reports.Listed `json:"reports"`
		LeftOut int              `json:"left_out" doc:"User-added files that could not be read; the server's log and report list name them"`
	}
}

func (s *Server) apiList(_ context.Context, in *givenQuery) (*listOutput, error) {
	if err := in.refuse(); err != nil {
		return nil, err
	}
	out := &listOutput{}
	out.Body.Reports = []reports.Listed{}
	for _, r := range s.runner.Catalog().List() {
		out.Body.Reports = append(out.Body.Reports, r.Listed())
	}
	out.Body.LeftOut = len(s.runner.Catalog().Problems())
	return out, nil
}

type statusOutput struct {
	Body struct {
		Freshness *reports.Freshness `json:"freshness"`
		Boxes     []boxJSON          `json:"boxes"`
	}
}

type boxJSON struct {
	Name          string  `json:"name" doc:"high, normal, low, process or corrupt"`
	Files         int     `json:"files"`
	Bytes         int64   `json:"bytes"`
	OldestSeconds float64 `json:"oldest_seconds" doc:"Age of the oldest file"`
}

func (s *Server) apiStatus(ctx context.Context, in *givenQuery) (*statusOutput, error) {
	if err := in.refuse(); err != nil {
		return nil, err
	}
	out := &statusOutput{}
	out.Body.Freshness = s.runner.Freshness(ctx)
	out.Body.Boxes = []boxJSON{}
	boxes, err := s.runner.Backlog(ctx)
	if err != nil {
		s.log.Warn("read inbox statistics", "err", err)
		return nil, newProblem(http.StatusServiceUnavailable, "inbox",
			"the inbox could not be read: the server's log says why")
	}
	for _, b := range boxes {
		out.Body.Boxes = append(out.Body.Boxes, boxJSON{b.Name, b.Files, b.Bytes, b.Oldest.Seconds()})
	}
	return out, nil
}
