package console

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"statewire/reports"
)

// describe adds one report to the API's description, at its own path.
func (s *Server) describe(doc *huma.OpenAPI, r *reports.Report) {
	op := &huma.Operation{
		OperationID: "report-" + r.Name, Method: http.MethodGet, Path: "/api/v1/reports/" + r.Name,
		Summary: r.Title, Description: r.Description, Tags: []string{r.Group},
		Responses: reportResponses(doc.Components.Schemas),
	}
	for _, p := range r.Params {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.Name, In: "query", Required: p.Required,
			Description: p.Description, Schema: schemaOf(p)})
	}
	for name, text := range map[string]string{"format": "json (default), jsonl, csv or parquet",
		"limit": "Rows of this page", "cursor": "next of the page before",
		"sort": "Column to order all rows by, or COLUMN:desc; then there is no next page"} {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Description: text,
			Schema: &huma.Schema{Type: "string"}})
	}
	doc.AddOperation(op)
}

// schema is the parameter's type in the API's description.
func schemaOf(p reports.Param) *huma.Schema {
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

// ReportAnswer is the shape of a JSON answer, for the API's description.
type ReportAnswer struct {
	Report    string             `json:"report,omitempty"`
	Title     string             `json:"title,omitempty"`
	Params    map[string]string  `json:"params,omitempty"`
	Scope     *reports.Scope     `json:"scope,omitempty" doc:"Over whom it counts, where the report takes a collection"`
	Subject   *reports.Subject   `json:"subject,omitempty" doc:"What the parameter subject means"`
	AsOf      string             `json:"as_of,omitempty" doc:"The last instant that counts, where a moment was asked for; the members of a collection are today's"`
	Zone      string             `json:"tz,omitempty" doc:"The time zone of that question"`
	Generated string             `json:"generated,omitempty"`
	Freshness *reports.Freshness `json:"freshness,omitempty"`
	Columns   []reports.Column   `json:"columns"`

	Rows []map[string]any `json:"rows" doc:"One object per row, its members named as the columns"`
	Next string           `json:"next,omitempty" doc:"Cursor of the following page"`
	More bool             `json:"more" doc:"Whether the report has rows after these"`
	Note string           `json:"note,omitempty" doc:"Why there is no row"`
}

func reportResponses(registry huma.Registry) map[string]*huma.Response {
	text := &huma.Schema{Type: "string"}
	out := refusals(registry)
	out["200"] = &huma.Response{Description: "The rows", Content: map[string]*huma.MediaType{
		"application/json":     {Schema: registry.Schema(reflect.TypeFor[ReportAnswer](), true, "ReportAnswer")},
		"application/x-ndjson": {Schema: text}, "text/csv": {Schema: text}, "application/vnd.apache.parquet": {Schema: text},
	}}
	return out
}

// refusals describes what every path answers when it can't: never the framework's own kind of error.
func refusals(registry huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{"default": {Description: "Error", Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: registry.Schema(reflect.TypeFor[Problem](), true, "Problem")},
	}}}
}
