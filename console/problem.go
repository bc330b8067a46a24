package console

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"statewire/internal/parse"
	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/explain"
)

// Problem is an error of the API as application/problem+json (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code" doc:"Stable name of the error"`
	Detail string `json:"detail"`
	Retry  bool   `json:"retry" doc:"Whether the same request may succeed later"`

	Matches []string `json:"matches,omitempty" doc:"What has the name that was given, or nearly"`

	after time.Duration // least time to wait before it; zero leaves it to serve
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType replaces the plain JSON type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func newProblem(status int, code, detail string) *Problem {
	retry := status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail,
		Retry: retry}
}

// problemOf says an error to a caller. Words of the engine pass only where they are about the caller's own query;
// addresses and paths of this machine don't.
func problemOf(err error) *Problem {
	var known *Problem
	var param *reports.ParamError
	var named *reports.RefError
	var query *reports.QueryError
	var malformed *parse.ParamError
	var client *explain.ClientError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, reports.ErrNoReport):
		return newProblem(http.StatusNotFound, "no_report", "there is no report of this name: /api/v1/reports lists them")
	case errors.As(err, &param):
		return newProblem(http.StatusBadRequest, "bad_parameter", param.Error())
	case errors.As(err, &named):
		return refProblem(named)
	case errors.As(err, &malformed), errors.As(err, &client):
		return newProblem(http.StatusBadRequest, "bad_parameter", err.Error())
	case errors.As(err, &query):
		return queryProblem(query)
	}
	return newProblem(http.StatusInternalServerError, "internal",
		"the answer could not be made: the server's log says why")
}

// refProblem is a parameter that names nothing, or several things.
func refProblem(e *reports.RefError) *Problem {
	status := http.StatusNotFound
	if e.Code == "ambiguous" {
		status = http.StatusConflict
	}
	p := newProblem(status, e.Code, e.Error())
	p.Matches = e.Matches
	return p
}

func queryProblem(e *reports.QueryError) *Problem {
	switch e.Code {
	case "timeout":
		return newProblem(http.StatusGatewayTimeout, e.Code, e.Error())
	case "busy":
		return newProblem(http.StatusServiceUnavailable, e.Code, e.Error())
	case "canceled", "unavailable":
		return newProblem(http.StatusServiceUnavailable, e.Code,
			"the store doesn't answer: try again; the server's log says more")
	case "bad_value":
		return newProblem(http.StatusBadRequest, e.Code, e.Error())
	case "memory", "too_many_rows":
		return newProblem(http.StatusUnprocessableEntity, e.Code, e.Error())
	}
	return newProblem(http.StatusInternalServerError, e.Code, e.Error())
}

// serve writes the problem where no framework does.
func (p *Problem) serve(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.after == 0 && p.Status == http.StatusServiceUnavailable {
		p.after = 5 * time.Second
	}
	if p.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((p.after+time.Second-1)/time.Second)))
	}
	w.WriteHeader(p.Status)
	_ = tabular.WriteJSON(w, p, false) // the caller has gone
}
