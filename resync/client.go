package resync

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
	"strings"
	"syscall"
	"time"

	"statewire/internal/control"
	"statewire/resync/gaps"
	"statewire/smx"
	"statewire/smx/policy"
)

// errStopped is a call that the site's end cut short. Every call may be made again.
var errStopped = errors.New("the site stopped before it was done; ask again")

// Client is a Service in another process, reached over its control socket.
type Client struct {
	// Constant after Dial.
	http *http.Client
}

// Dial returns a client of the service behind a socket. Nothing is connected before the first call.
func Dial(socketPath string) *Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return control.Dial(ctx, socketPath)
		},
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
	}
	return &Client{http: &http.Client{Transport: transport}}
}

// Policy is Service.Policy.
func (c *Client) Policy(ctx context.Context, poll smx.Poll) (document []byte, etag string, err error) {
	resp, err := c.post(ctx, "policy", pollCall{poll.Client.UUID(), poll.LastSerial, poll.States, poll.Digest, poll.Unsent})
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, policy.MaxBytes))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("read a policy from the resync service: %w", err)
	case resp.StatusCode == http.StatusBadRequest:
		return nil, "", invalid("%s", strings.TrimSpace(string(body)))
	case resp.StatusCode == http.StatusServiceUnavailable:
		return nil, "", fmt.Errorf("%w: %s", ErrNotReady, strings.TrimSpace(string(body)))
	case resp.StatusCode != http.StatusOK:
		return nil, "", unexpected("a policy", resp.StatusCode)
	}
	return body, resp.Header.Get("ETag"), nil
}

// Check is Service.Check.
func (c *Client) Check(ctx context.Context, o CheckOptions) (Result, error) {
	var gaps []gaps.Gap
	r, err := call[Result](ctx, c, "check", checkCall{o.At, o.DryRun, o.Full, o.Rows}, func(l line[Result]) {
		if l.Gap != nil {
			gaps = append(gaps, *l.Gap)
		}
	})
	r.Gaps.Rows = gaps
	return r, err
}

// Request is Service.Request.
func (c *Client) Request(ctx context.Context, t Target, o RequestOptions) (RequestResult, error) {
	if err := t.check(); err != nil {
		return RequestResult{}, err
	}
	in := targetCall{Clients: clientNames(t.Clients), Collection: t.Collection, All: t.All, By: o.By, DryRun: o.DryRun, Rows: o.Rows}
	return call(ctx, c, "request", in, tells[RequestResult](o.Progress))
}

// Accept is Service.Accept.
func (c *Client) Accept(ctx context.Context, t Target, o AcceptOptions) (AcceptResult, error) {
	if err := t.check(); err != nil {
		return AcceptResult{}, err
	}
	in := targetCall{Clients: clientNames(t.Clients), Collection: t.Collection, All: t.All, By: o.By, DryRun: o.DryRun, Claim: o.Claim}
	return call(ctx, c, "accept", in, tells[AcceptResult](o.Progress))
}

// tells passes progress on.
func tells[Out any](f func(done, total int)) func(line[Out]) {
	return func(l line[Out]) {
		if f != nil && l.Progress != nil {
			f(l.Progress.Done, l.Progress.Total)
		}
	}
}

// List is Service.List.
func (c *Client) List(ctx context.Context, o ListOptions) ([]Status, error) {
	in := listCall{Within: o.Within, Open: o.Open, Limit: o.Limit}
	if o.Client != (smx.ClientID{}) {
		in.Client = o.Client.UUID()
	}
	return call[[]Status](ctx, c, "list", in, nil)
}

// CreateCollection is Service.CreateCollection.
func (c *Client) CreateCollection(ctx context.Context, spec CollectionSpec) (Collection, error) {
	if err := spec.check(); err != nil {
		return Collection{}, err
	}
	return call[Collection](ctx, c, "collection/create", collectionCall{spec.Name, clientNames(spec.Clients), spec.Query, spec.Replace}, nil)
}

// Collections is Service.Collections.
func (c *Client) Collections(ctx context.Context) ([]Collection, error) {
	return call[[]Collection](ctx, c, "collection/list", collectionCall{}, nil)
}

// Collection is Service.Collection.
func (c *Client) Collection(ctx context.Context, name string) (Collection, []smx.ClientID, error) {
	out, err := call[membersAnswer](ctx, c, "collection/show", collectionCall{Name: name}, nil)
	if err != nil {
		return Collection{}, nil, err
	}
	clients, err := parseClients(out.Clients)
	return out.Collection, clients, err
}

// DeleteCollection is Service.DeleteCollection.
func (c *Client) DeleteCollection(ctx context.Context, name string) error {
	_, err := call[bool](ctx, c, "collection/delete", collectionCall{Name: name}, nil)
	return err
}

// SetPolicy is Service.SetPolicy.
func (c *Client) SetPolicy(ctx context.Context, collection string, p PolicySettings) (CollectionPolicy, error) {
	return call[CollectionPolicy](ctx, c, "policy/set", policyCall{collection, p}, nil)
}

// Policies is Service.Policies.
func (c *Client) Policies(ctx context.Context) ([]CollectionPolicy, error) {
	return call[[]CollectionPolicy](ctx, c, "policy/list", policyCall{}, nil)
}

// post sends a call.
func (c *Client) post(ctx context.Context, path string, in any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("write the call %s: %w", path, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://statewire"+SocketPath+path, bytes.NewReader(body))
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
		return nil, fmt.Errorf("ask the process that runs the resync role: %w", err)
	}
	return resp, nil
}

// call sends a call, hands every line to each, and returns the result that the last line has.
func call[Out any](ctx context.Context, c *Client, path string, in any, each func(line[Out])) (out Out, err error) {
	resp, err := c.post(ctx, path, in)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return out, unexpected(path, resp.StatusCode)
	}
	lines := json.NewDecoder(resp.Body)
	for {
		var l line[Out]
		err := lines.Decode(&l)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return out, errStopped
		case err != nil:
			return out, fmt.Errorf("read the answer of the running site: %w", err)
		case l.Problem != nil:
			return out, l.Problem.err()
		case l.Done && l.Result == nil:
			return out, nil // an empty list
		case l.Done:
			return *l.Result, nil
		case each != nil:
			each(l)
		}
	}
}
