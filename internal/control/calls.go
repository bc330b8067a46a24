package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// A call is a JSON document, its answer JSON lines: how far the work is, rows of the result, and last the result or the
// error.
type line struct {
	Progress *progress       `json:"progress,omitempty"`
	Row      json.RawMessage `json:"gap,omitempty"` // gaps were the first rows
	Done     bool            `json:"done,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Problem  *problem        `json:"error,omitempty"`
}

type progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// maxCallBytes bounds a call: a list of a million clients fits.
const maxCallBytes = 64 << 20

// Router is where calls are registered; an http.ServeMux is one.
type Router interface {
	HandleFunc(pattern string, serve func(http.ResponseWriter, *http.Request))
}

// Handle serves one call at its path. Whoever reaches it is trusted: it belongs on a socket that only the site's own
// user can open.
func Handle[In, Out any](mux Router, path string, do func(context.Context, In, *Teller) (Out, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, req *http.Request) {
		var in In
		if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxCallBytes)).Decode(&in); err != nil {
			http.Error(w, "the call is no JSON document: "+err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/jsonl")
		say := &Teller{out: json.NewEncoder(w), control: http.NewResponseController(w)}
		out, err := do(req.Context(), in, say)
		var result json.RawMessage
		if err == nil {
			result, err = json.Marshal(out)
		}
		if err != nil {
			say.line(line{Problem: problemOf(err)})
			return
		}
		say.line(line{Done: true, Result: result})
	})
}

// Teller writes what of an answer comes before its result. A caller that hung up notices by itself.
type Teller struct {
	out     *json.Encoder
	control *http.ResponseController
}

func (t *Teller) line(l line) { _ = t.out.Encode(l) }

// Row writes a row of the result.
func (t *Teller) Row(row any) {
	text, err := json.Marshal(row)
	if err == nil {
		t.line(line{Row: text})
	}
}

// RowNow writes a row of the result, at once.
func (t *Teller) RowNow(row any) {
	t.Row(row)
	_ = t.control.Flush()
}

// Progress says how far the work is, at once.
func (t *Teller) Progress(done, total int) {
	t.line(line{Progress: &progress{done, total}})
	_ = t.control.Flush()
}

// errStopped is a call that the end of the process cut short. Every call may be made again.
var errStopped = errors.New("the site stopped before it was done; ask again")

// Caller calls a role of the site in another process, over its socket.
type Caller struct {
	// Constant after NewCaller.
	http *http.Client
	role string // its calls are below /ROLE/
}

// Transport speaks HTTP with the process that listens at path, whatever host a request names.
func Transport(path string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return Dial(ctx, path) },
	}
}

// NewCaller returns a caller of the role behind a socket. Nothing is connected before the first call.
func NewCaller(socketPath, role string) *Caller {
	transport := Transport(socketPath)
	transport.MaxIdleConnsPerHost, transport.IdleConnTimeout = 64, time.Minute
	return &Caller{http: &http.Client{Transport: transport}, role: role}
}

// Close ends the connections that no call uses.
func (c *Caller) Close() { c.http.CloseIdleConnections() }

// Post sends a call to a path below the role's and returns the answer as it is.
func (c *Caller) Post(ctx context.Context, path string, in any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("write the call %s: %w", path, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://statewire/"+c.role+"/"+path,
		bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("write the call %s: %w", path, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if wrapped := new(url.Error); errors.As(err, &wrapped) {
			err = wrapped.Err // the made-up address tells nobody anything
		}
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			return nil, errStopped
		}
		return nil, fmt.Errorf("ask the process that runs the %s role: %w", c.role, err)
	}
	return resp, nil
}

// Listener takes what comes before the result of a call. Its zero value takes nothing.
type Listener struct {
	Progress func(done, total int)
	Row      func(row []byte) error // a row of the result, as JSON
}

// Call sends a call that Handle serves and returns its result.
func Call[Out any](ctx context.Context, c *Caller, path string, in any, hear Listener) (out Out, err error) {
	resp, err := c.Post(ctx, path, in)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return out, Unexpected(path, resp.StatusCode)
	}
	lines := json.NewDecoder(resp.Body)
	for {
		var l line
		err := lines.Decode(&l)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return out, errStopped
		case err != nil:
			return out, fmt.Errorf("read the answer of the running site: %w", err)
		case l.Problem != nil:
			return out, l.Problem.err()
		case l.Done:
			err := l.result(&out)
			return out, err
		}
		if err := hear.line(l); err != nil {
			return out, fmt.Errorf("read the answer of the running site: %w", err)
		}
	}
}

// result reads the result; an empty list is none.
func (l line) result(out any) error {
	if l.Result == nil {
		return nil
	}
	if err := json.Unmarshal(l.Result, out); err != nil {
		return fmt.Errorf("read the answer of the running site: %w", err)
	}
	return nil
}

func (h Listener) line(l line) error {
	switch {
	case l.Progress != nil && h.Progress != nil:
		h.Progress(l.Progress.Done, l.Progress.Total)
	case l.Row != nil && h.Row != nil:
		return h.Row(l.Row)
	}
	return nil
}

// Unexpected is an answer that no version of this program gives, or that only the owner of the site gets another for.
func Unexpected(path string, status int) error {
	if status == http.StatusForbidden {
		return fmt.Errorf("ask the running site for %s: it refuses this user; run this as the owner of its data directory, "+
			"or as root", path)
	}
	return fmt.Errorf("ask the running site for %s: it answered %d; is it another version of statewire?", path, status)
}
