package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"statewire/internal/tabular"
	"statewire/reports"
)

// runInput takes the parameters from the address as they are: which ones there are depends on the report.
type runInput struct {
	Name   string `path:"name" doc:"Name of the report"`
	Format string `query:"format" doc:"json (default), jsonl, csv or parquet"`
	Limit  string `query:"limit" doc:"Rows of this page"`
	Cursor string `query:"cursor" doc:"Where to continue: next of the page before"`
	Sort   string `query:"sort" doc:"Column to order all rows by; COLUMN:desc for the greatest first. Such an answer has no next page"`
	Param  string `query:"param" doc:"Another way to give a parameter: NAME=VALUE; may be repeated"`
	givenQuery
}

// request is what one address asks for.
type request struct {
	format reports.Format
	params map[string]string
	page   reports.Page
}

// givenQuery is a request's whole query.
type givenQuery struct{ query url.Values }

// Resolve keeps it.
func (in *givenQuery) Resolve(ctx huma.Context) []error {
	address := ctx.URL()
	in.query = address.Query()
	return nil
}

var _ huma.Resolver = (*givenQuery)(nil)

// readRequest refuses what is given twice, and what is none of ours when it is used. A parameter of the report's own that
// is called sort stays one.
func readRequest(report *reports.Report, query url.Values) (request, error) {
	name := report.Name
	ownSort := slices.ContainsFunc(report.Params, func(p reports.Param) bool { return p.Name == "sort" })
	req := request{format: reports.JSON, params: map[string]string{}}
	for _, key := range slices.Sorted(maps.Keys(query)) {
		values := query[key]
		if len(values) > 1 && key != "param" {
			return req, &reports.ParamError{Report: name, Param: fmt.Sprintf("%.40q", key), Reason: "is given more than once"}
		}
		var err error
		switch value := values[0]; {
		case key == "format":
			req.format, err = parseFormat(value)
		case key == "limit":
			req.page.Limit, err = parseLimit(value)
		case key == "cursor":
			req.page.Cursor = value // empty is the first page, for loops that begin with no cursor
		case key == "sort" && !ownSort:
			req.page.Sort, err = value, refuseEmpty(value)
		case key == "param":
			err = addPairs(req.params, values)
		default:
			err = addParam(req.params, key, value)
		}
		if err != nil {
			return req, &reports.ParamError{Report: name, Param: fmt.Sprintf("%.40q", key), Reason: err.Error()}
		}
	}
	return req, nil
}

func parseFormat(text string) (reports.Format, error) {
	f, err := tabular.ParseFormat(text)
	if err != nil || f == reports.Table {
		return "", fmt.Errorf("is %.20q: allowed are json, jsonl, csv and parquet", text)
	}
	return f, nil
}

func parseLimit(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("has to be a whole number from 1")
	}
	return n, nil
}

func refuseEmpty(column string) error {
	if column == "" {
		return errors.New("is empty: write COLUMN or COLUMN:desc")
	}
	return nil
}

func addPairs(params map[string]string, pairs []string) error {
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("%.40q is not NAME=VALUE", pair)
		}
		if err := addParam(params, name, value); err != nil {
			return fmt.Errorf("%.40q %w", name, err)
		}
	}
	return nil
}

func addParam(params map[string]string, name, value string) error {
	if _, twice := params[name]; twice {
		return errors.New("is given more than once")
	}
	params[name] = value
	return nil
}

func (s *Server) apiRun(ctx context.Context, in *runInput) (*huma.StreamResponse, error) {
	report, err := s.runner.Catalog().Get(in.Name)
	if err != nil {
		return nil, problemOf(err)
	}
	req, err := readRequest(report, in.query)
	if err != nil {
		return nil, problemOf(err)
	}
	if req.format == reports.JSON {
		if req.page.Limit == 0 {
			req.page.Limit = pageRows
		}
		if req.page.Limit > maxPageRows {
			return nil, problemOf(&reports.ParamError{Report: report.Name, Param: "limit",
				Reason: fmt.Sprintf("has to be from 1 to %d", maxPageRows)})
		}
	}
	return s.download(ctx, report, req)
}

// download starts the query before the answer, so that its refusal still gets a status of its own.
func (s *Server) download(ctx context.Context, report *reports.Report, req request) (*huma.StreamResponse, error) {
	if req.format == reports.Parquet {
		return s.downloadParquet(ctx, report, req)
	}
	var age *reports.Freshness
	if req.format == reports.JSON {
		age = s.runner.Freshness(ctx)
	}
	rows, err := s.runner.Run(ctx, report.Name, req.params, req.page)
	if err != nil {
		s.logFailure(report.Name, err)
		return nil, problemOf(err)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		s.setType(hctx, report, req.format)
		if err := reports.Write(s.steady(hctx), req.format, rows, age); err != nil {
			s.logFailure(report.Name, err)
			panic(http.ErrAbortHandler) // a broken transfer is the only honest end of half an answer
		}
	}}, nil
}

func (s *Server) downloadParquet(ctx context.Context, report *reports.Report,
	req request) (*huma.StreamResponse, error) {
	stream, err := s.runner.OpenParquet(ctx, report, req.params, req.page)
	if err != nil {
		s.logFailure(report.Name, err)
		return nil, problemOf(err)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		s.setType(hctx, report, reports.Parquet)
		if err := stream.Copy(s.steady(hctx)); err != nil {
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

func mediaType(f reports.Format) string {
	switch f {
	case reports.JSONL:
		return "application/x-ndjson"
	case reports.CSV:
		return "text/csv; charset=utf-8"
	case reports.Parquet:
		return "application/vnd.apache.parquet"
	}
	return "application/json"
}

func (s *Server) setType(ctx huma.Context, report *reports.Report, f reports.Format) {
	ctx.SetHeader("Content-Type", mediaType(f))
	if f != reports.JSON {
		name := report.Name + "-" + s.now().UTC().Format("20060102T150405Z") + "." + string(f)
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
	return &steadyWriter{ctx: ctx, step: 30 * time.Second, now: s.now}
}

func (w *steadyWriter) Write(p []byte) (int, error) {
	now := w.now()
	if now.After(w.next) {
		w.next = now.Add(w.step / 2)
		_, out := humago.Unwrap(w.ctx)
		// not every writer has one; the server's own limit then stays
		_ = http.NewResponseController(out).SetWriteDeadline(time.Now().Add(w.step))
	}
	return w.ctx.BodyWriter().Write(p)
}
