package resync

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"statewire/smx"
)

// SocketPath is where, on the control socket, Handler is expected; its paths begin with it.
const SocketPath = "/resync/"

// maxCallBytes bounds a call: a collection of a million clients fits.
const maxCallBytes = 64 << 20

// Handler serves the whole of the service to other processes of the site, below SocketPath. Whoever reaches it is trusted:
// it belongs on a socket that only the site's own user can open.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /resync/policy", s.servePoll)
	handle(mux, "check", func(ctx context.Context, in checkCall, say *teller[Result]) (Result, error) {
		r, err := s.Check(ctx, CheckOptions{At: in.At, DryRun: in.DryRun, Full: in.Full, Rows: in.Rows})
		for i := range r.Gaps.Rows {
			say.line(line[Result]{Gap: &r.Gaps.Rows[i]})
		}
		r.Gaps.Rows = nil
		return r, err
	})
	handle(mux, "request", func(ctx context.Context, in targetCall, say *teller[RequestResult]) (out RequestResult, err error) {
		target, err := in.target()
		if err != nil {
			return out, err
		}
		return s.Request(ctx, target, RequestOptions{By: in.By, DryRun: in.DryRun, Rows: in.Rows, Progress: say.progress})
	})
	handle(mux, "accept", func(ctx context.Context, in targetCall, say *teller[AcceptResult]) (out AcceptResult, err error) {
		target, err := in.target()
		if err != nil {
			return out, err
		}
		return s.Accept(ctx, target, AcceptOptions{By: in.By, DryRun: in.DryRun, Claim: in.Claim, Progress: say.progress})
	})
	handle(mux, "list", func(ctx context.Context, in listCall, _ *teller[[]Status]) ([]Status, error) {
		o := ListOptions{Within: in.Within, Open: in.Open, Limit: in.Limit}
		if in.Client != "" {
			clients, err := parseClients([]string{in.Client})
			if err != nil {
				return nil, err
			}
			o.Client = clients[0]
		}
		return s.List(ctx, o)
	})
	s.handleCollections(mux)
	return mux
}

func (s *Service) handleCollections(mux *http.ServeMux) {
	handle(mux, "collection/create", func(ctx context.Context, in collectionCall, _ *teller[Collection]) (Collection, error) {
		clients, err := parseClients(in.Clients)
		if err != nil {
			return Collection{}, err
		}
		return s.CreateCollection(ctx, CollectionSpec{Name: in.Name, Clients: clients, Query: in.Query, Replace: in.Replace})
	})
	handle(mux, "collection/list", func(ctx context.Context, _ collectionCall, _ *teller[[]Collection]) ([]Collection, error) {
		return s.Collections(ctx)
	})
	handle(mux, "collection/show", func(ctx context.Context, in collectionCall, _ *teller[membersAnswer]) (membersAnswer, error) {
		c, members, err := s.Collection(ctx, in.Name)
		return membersAnswer{c, clientNames(members)}, err
	})
	handle(mux, "collection/delete", func(ctx context.Context, in collectionCall, _ *teller[bool]) (bool, error) {
		return true, s.DeleteCollection(ctx, in.Name)
	})
	handle(mux, "policy/set", func(ctx context.Context, in policyCall, _ *teller[CollectionPolicy]) (CollectionPolicy, error) {
		return s.SetPolicy(ctx, in.Collection, in.Settings)
	})
	handle(mux, "policy/list", func(ctx context.Context, _ policyCall, _ *teller[[]CollectionPolicy]) ([]CollectionPolicy, error) {
		return s.Policies(ctx)
	})
}

// servePoll answers a relay that has a client at the other end: no lines, the document itself.
func (s *Service) servePoll(w http.ResponseWriter, req *http.Request) {
	var in pollCall
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 1<<10)).Decode(&in); err != nil {
		http.Error(w, "the poll is no JSON document", http.StatusBadRequest)
		return
	}
	client, err := smx.ParseUUID(in.Client)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	document, etag, err := s.Policy(req.Context(), smx.Poll{Client: client, LastSerial: in.LastSerial, States: in.States, Digest: in.Digest, Unsent: in.Unsent})
	if err != nil {
		http.Error(w, err.Error(), pollStatus(err))
		return
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(document) // the relay that hung up asks again
}

func pollStatus(err error) int {
	if errors.As(err, new(*InvalidError)) {
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

// handle serves one call at its path: the call is the body, the answer comes in lines, the last of which is the result or the
// error.
func handle[In, Out any](mux *http.ServeMux, path string, do func(context.Context, In, *teller[Out]) (Out, error)) {
	mux.HandleFunc("POST "+SocketPath+path, func(w http.ResponseWriter, req *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxCallBytes)).Decode(&in); err != nil {
			http.Error(w, "the call is no JSON document: "+err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/jsonl")
		say := &teller[Out]{out: json.NewEncoder(w), control: http.NewResponseController(w)}
		out, err := do(req.Context(), in, say)
		if err != nil {
			say.line(line[Out]{Problem: problemOf(err)})
			return
		}
		say.line(line[Out]{Done: true, Result: &out})
	})
}

func problemOf(err error) *problemOnWay {
	var wrong *InvalidError
	return &problemOnWay{Text: err.Error(), Invalid: errors.As(err, &wrong), NoCollection: errors.Is(err, ErrNoCollection)}
}

// teller writes the lines of an answer.
type teller[Out any] struct {
	out     *json.Encoder
	control *http.ResponseController
}

// line writes a line; a caller that hung up notices by itself.
func (t *teller[Out]) line(l line[Out]) { _ = t.out.Encode(l) }

// progress writes a line and sends it on its way.
func (t *teller[Out]) progress(done, total int) {
	t.line(line[Out]{Progress: &progress{done, total}})
	_ = t.control.Flush()
}
