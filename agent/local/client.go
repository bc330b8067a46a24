package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"statewire/agent"
)

// maxAnswer bounds what is read of an agent's answer: its whole cache, and then some.
const maxAnswer = 1 << 30

// How long a caller waits for an agent that hangs. Sending and scanning take longer by themselves.
const (
	askTimeout  = time.Minute
	sendTimeout = flushTimeout + askTimeout
	scanTimeout = writeTimeout
)

// ErrNotRunning is what asking an agent that does not run ends with.
var ErrNotRunning = errors.New("no agent runs on this data directory; start it with `statewire agent run`, or as a " +
	"service")

// Client speaks to the agent of this machine.
type Client struct{ http *http.Client }

// Dial returns the way to the agent with its files in dir. Nothing is connected until the first call.
func Dial(dir string) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, dir) },
	}}}
}

// Raise records states, all or none. Texts that JSON would change on the way are refused as the agent would refuse
// them.
func (c *Client) Raise(ctx context.Context, request RaiseRequest) (Raised, error) {
	for i := range request.States {
		s := request.States[i].state(time.Now())
		if err := s.CheckTexts(); err != nil {
			return Raised{}, &Error{Status: http.StatusBadRequest, Text: err.Error()}
		}
	}
	patience := askTimeout
	if request.Now {
		patience = sendTimeout
	}
	return call[Raised](ctx, c, patience, http.MethodPost, "/v1/states", request)
}

// Send makes the agent send what waits.
func (c *Client) Send(ctx context.Context) (Flushed, error) {
	return call[Flushed](ctx, c, sendTimeout, http.MethodPost, "/v1/send", nil)
}

// Resend makes the agent send its whole cache again.
func (c *Client) Resend(ctx context.Context) (Flushed, error) {
	return call[Flushed](ctx, c, sendTimeout, http.MethodPost, "/v1/resend", nil)
}

// Scan makes the agent look for changes of the machine.
func (c *Client) Scan(ctx context.Context) (agent.ScanResult, error) {
	return call[agent.ScanResult](ctx, c, scanTimeout, http.MethodPost, "/v1/scan", nil)
}

// Status asks how the agent is doing.
func (c *Client) Status(ctx context.Context) (StatusReport, error) {
	return call[StatusReport](ctx, c, askTimeout, http.MethodGet, "/v1/status", nil)
}

// Messages asks what the agent holds and sent.
func (c *Client) Messages(ctx context.Context) (MessageList, error) {
	return call[MessageList](ctx, c, askTimeout, http.MethodGet, "/v1/messages", nil)
}

// Trace asks what became of one serial.
func (c *Client) Trace(ctx context.Context, serial uint64) (SentState, error) {
	return call[SentState](ctx, c, askTimeout, http.MethodGet, fmt.Sprintf("/v1/messages/%d", serial), nil)
}

// Report is what the agent holds, as the XML of one report.
func (c *Client) Report(ctx context.Context) ([]byte, error) {
	return c.ask(ctx, askTimeout, http.MethodGet, "/v1/report", nil)
}

func call[T any](ctx context.Context, c *Client, patience time.Duration, method, path string,
	request any) (answer T, err error) {
	text, err := c.ask(ctx, patience, method, path, request)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("read the agent's answer: %w", err)
	}
	return answer, nil
}

func (c *Client) ask(ctx context.Context, patience time.Duration, method, path string, request any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, unreachable(err)
	}
	if resp.StatusCode == http.StatusOK {
		return text, nil
	}
	var said problem
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = "the agent answered " + resp.Status
	}
	return nil, &Error{Status: resp.StatusCode, Text: said.Error}
}

// Error is the agent's refusal of a request.
type Error struct {
	Status int // HTTP's: 4xx is the request's fault
	Text   string
}

func (e *Error) Error() string { return e.Text }

// unreachable says why the agent cannot be asked, and what to do.
func unreachable(err error) error {
	var dial *net.OpError
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("only the user that runs the agent and administrators may use its socket: %w", err)
	case errors.Is(err, fs.ErrNotExist), errors.As(err, &dial) && dial.Op == "dial":
		return ErrNotRunning
	case os.IsTimeout(err):
		return fmt.Errorf("the agent does not answer: %w", err)
	}
	return fmt.Errorf("ask the agent: %w", err)
}
