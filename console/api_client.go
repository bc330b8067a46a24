package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"statewire/internal/parse"
	"statewire/reports/explain"
)

// routeClients adds what is asked about one client.
func (s *Server) routeClients(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "explain-client", Method: http.MethodGet, Path: "/api/v1/clients/{id}/explain",
		Summary: "Why a client is unknown, stale or incomplete, and what happens next",
		Description: "Facts in plain sentences, each with a stable code, a severity and mostly a time. A client that the " +
			"site has never heard of gets an explanation, too.",
		Tags: []string{"clients"}, Responses: refusals(api.OpenAPI().Components.Schemas),
	}, s.apiExplain)
	huma.Register(api, huma.Operation{
		OperationID: "trace-message", Method: http.MethodGet, Path: "/api/v1/clients/{id}/trace/{serial}",
		Summary: "One message's way from the client to the store, or what is known of one that never arrived",
		Tags:    []string{"clients"}, Responses: refusals(api.OpenAPI().Components.Schemas),
	}, s.apiTrace)
}

type explainInput struct {
	givenQuery
	ID    string `path:"id" doc:"Client id, with or without GUID:, or computer name; a name that several clients have is refused with their ids"`
	Topic string `query:"topic" doc:"TYPE/ID: also say what the client's state is on this topic, and why"`
}

type explainOutput struct{ Body *explain.Explanation }

func (s *Server) apiExplain(ctx context.Context, in *explainInput) (*explainOutput, error) {
	if err := in.refuse("topic"); err != nil {
		return nil, err
	}
	var topic *explain.Topic
	if in.query.Has("topic") {
		var err error
		if topic, err = explain.ParseTopic(in.Topic); err != nil {
			return nil, newProblem(http.StatusBadRequest, "bad_parameter", err.Error())
		}
	}
	e, err := s.explainer.Explain(ctx, in.ID, topic)
	if err != nil {
		return nil, s.clientProblem("explain", err)
	}
	return &explainOutput{e}, nil
}

type traceInput struct {
	givenQuery
	ID     string `path:"id" doc:"Client id, with or without GUID:, or computer name; a name that several clients have is refused with their ids"`
	Serial string `path:"serial" doc:"Serial number of the message, from 1 to 4611686018427387904"`
}

type traceOutput struct{ Body *explain.Trace }

func (s *Server) apiTrace(ctx context.Context, in *traceInput) (*traceOutput, error) {
	if err := in.refuse(); err != nil {
		return nil, err
	}
	serial, err := strconv.ParseUint(in.Serial, 10, 64)
	if err != nil {
		return nil, s.clientProblem("trace", explain.ErrSerial)
	}
	t, err := s.explainer.Trace(ctx, in.ID, serial)
	if err != nil {
		return nil, s.clientProblem("trace", err)
	}
	return &traceOutput{t}, nil
}

// refuse says which parameter is none of the known ones: a misspelt one is never passed over.
func (in *givenQuery) refuse(known ...string) error {
	if err := parse.Known(in.query, known...); err != nil {
		return problemOf(err)
	}
	return nil
}

// clientProblem says what was wrong with the client or the serial asked about.
func (s *Server) clientProblem(what string, err error) *Problem {
	var several *explain.AmbiguousError
	switch {
	case errors.As(err, &several):
		return newProblem(http.StatusConflict, "ambiguous_client", several.Error())
	case errors.Is(err, explain.ErrNoClient):
		return newProblem(http.StatusNotFound, "no_client",
			"no client has this computer name: one that never reported can be asked about by its id")
	case errors.Is(err, explain.ErrSerial):
		return newProblem(http.StatusBadRequest, "bad_parameter", explain.ErrSerial.Error())
	}
	s.logFailure(what, err)
	return problemOf(err)
}
