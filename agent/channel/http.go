package channel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"statewire/agent/transport"
	"statewire/internal/backoff"
	"statewire/internal/parse"
	"statewire/notifier/wire"
)

const (
	channelPath = "/mp/channel"
	// holdTimeout is how long a relay may hold a request, and then some: one that is lost on the way is noticed.
	holdTimeout = 2 * time.Minute
	// mostAnswer bounds an answer: many frames.
	mostAnswer = 1 << 20
	// mostBody bounds what a request carries: a relay takes four of the largest frames.
	mostBody = 3 * wire.MaxFrame
	// quickAnswer is an answer that was not held. A relay that gives quickAnswers of them in a row is asked once in
	// quickAnswer.
	quickAnswer  = time.Second
	quickAnswers = 5
	byeTimeout   = 2 * time.Second
	// taskMoment is what most tasks need to be kept, and quick ones to be done.
	taskMoment = 100 * time.Millisecond
	taskQuiet  = 20 * time.Millisecond
)

// httpLink is one held request after another to the relay.
type httpLink struct {
	// Constant.
	url    string
	client *http.Client
	known  facts
	frames chan frame
	stop   context.CancelFunc

	session atomic.Uint64
	had     atomic.Uint64 // the greatest number of a delivery that came
	said    chan struct{} // send was called

	// Guarded by mu.
	mu   sync.Mutex
	asks bool                    // the next request asks whether the relay is there
	out  [][]byte                // frames for the next request
	drop context.CancelCauseFunc // ends the held request

	err error // Read once frames is closed.
}

// overHTTP signs in at the relay.
func (c *Channel) overHTTP(ctx context.Context, relay, reason, why string) (link, error) {
	l, err := c.newHTTPLink(relay)
	if err != nil {
		return nil, c.explained("https", relay, err)
	}
	rest, err := c.signInHTTP(ctx, l, reason, why)
	if err != nil {
		l.client.CloseIdleConnections()
		return nil, c.explained("https", relay, err)
	}
	ctx, l.stop = context.WithCancel(ctx)
	go l.run(ctx, rest)
	return l, nil
}

func (c *Channel) newHTTPLink(relay string) (*httpLink, error) {
	u, err := parse.URL(relay, "https")
	if err != nil {
		return nil, fmt.Errorf("the relay: %w", err)
	}
	m, one := newMeter(c.d.Now), new(http.Protocols)
	one.SetHTTP1(true)
	return &httpLink{url: u.JoinPath(channelPath).String(), frames: make(chan frame), said: make(chan struct{}, 1),
		known: facts{transport: "HTTP", server: relay, meter: m},
		client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy: c.d.Proxy, TLSClientConfig: c.d.TLS(u.Hostname()), TLSHandshakeTimeout: connectTimeout, Protocols: one,
				OnProxyConnectResponse: throughRelayProxy,
				MaxConnsPerHost:        1, IdleConnTimeout: holdTimeout, DisableCompression: true,
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					return c.open(ctx, m, network, address)
				},
			},
		}}, nil
}

// signInHTTP says who the client is, and returns what else the relay answered.
func (c *Channel) signInHTTP(ctx context.Context, l *httpLink, reason, why string) ([]frame, error) {
	hello, err := c.signIn(wire.HTTP, reason, why)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout+signInTimeout)
	defer cancel()
	frames, err := l.post(ctx, wire.AppendFrame(nil, wire.SignIn, hello.Encode()))
	if err != nil {
		return nil, err
	}
	if len(frames) == 0 {
		return nil, errors.New("the relay answered without a confirmation")
	}
	if l.known.confirm, err = c.confirmed(frames[0], hello.Session); err != nil {
		return nil, err
	}
	l.session.Store(l.known.confirm.Session)
	return frames[1:], nil
}

// post carries frames there and brings what the relay has for this client.
func (l *httpLink) post(ctx context.Context, body []byte) ([]frame, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/vnd.statewire.channel")
	req.Header.Set("User-Agent", "statewire-agent")
	if session := l.session.Load(); session > 0 { // none before the sign-in
		req.Header.Set("Statewire-Session", strconv.FormatUint(session, 10))
	}
	req.Header.Set("Statewire-Ack", strconv.FormatUint(l.had.Load(), 10))
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the relay's answer: %w", err)
	case resp.StatusCode == http.StatusOK:
		return readFrames(text)
	case resp.StatusCode == http.StatusNoContent:
		return nil, nil
	case resp.StatusCode == http.StatusConflict:
		return nil, errForgotten
	}
	return nil, refusal(resp, text)
}

// errForgotten is what a relay answers whose notifier was started anew.
var errForgotten = errors.New("the server does not know this session any more")

// readFrames are the frames of an answer.
func readFrames(text []byte) (frames []frame, err error) {
	r := bytes.NewReader(text)
	for {
		var f frame
		f.kind, f.payload, err = wire.ReadFrame(r, wire.MaxFrame)
		switch {
		case errors.Is(err, io.EOF):
			return frames, nil
		case err != nil:
			return nil, fmt.Errorf("%w: its answer is no frames: %v", transport.ErrNotRelay, err)
		}
		if !f.kind.Skipped() {
			frames = append(frames, f)
		}
	}
}

// refusal is what an answer says that is none of the channel's.
func refusal(resp *http.Response, text []byte) error {
	var said struct{ Code, Detail string }
	_ = json.Unmarshal(text, &said) // a text that is no problem document leaves it empty
	after := transport.RetryAfter(resp.Header)
	switch {
	case said.Code == transport.CodeRevoked:
		return &closed{CloseMessage: wire.CloseMessage{Code: wire.CloseRevoked}}
	case said.Code == "" && resp.StatusCode != http.StatusServiceUnavailable:
		return fmt.Errorf("%w with %d", transport.ErrNotRelay, resp.StatusCode)
	}
	words := strings.TrimSpace(fmt.Sprintf("the relay answered %d %.100s", resp.StatusCode, said.Code))
	if said.Detail != "" {
		words = fmt.Sprintf("%s: %.300s", words, said.Detail)
	}
	if after > 0 {
		return &closed{wire.CloseMessage{Code: wire.CloseLimit, RetryAfter: after}, words}
	}
	return errors.New(words)
}

// errAsked ends a held request for one that is answered at once.
var errAsked = errors.New("the relay is asked whether it is there")

// run holds one request after another until ctx ends or one comes to nothing.
func (l *httpLink) run(ctx context.Context, frames []frame) {
	defer close(l.frames)
	for quick := 0; l.give(ctx, frames); {
		began := time.Now()
		var err error
		frames, err = l.hold(ctx)
		switch {
		case errors.Is(err, errAsked):
			continue
		case err != nil:
			l.err = err
			return
		}
		frames = append(frames, frame{kind: wire.KeepAliveAck}) // whatever it says, it is there
		if quick++; time.Since(began) >= quickAnswer {
			quick = 0
		}
		if quick > quickAnswers && backoff.Sleep(ctx, quickAnswer) != nil {
			return
		}
	}
}

// give passes frames on. After a task it waits a moment: what is said of it then goes with the next request, which
// otherwise would be ended for it, and with it the connection.
func (l *httpLink) give(ctx context.Context, frames []frame) bool {
	tasks := false
	select {
	case <-l.said: // of earlier ones
	default:
	}
	for _, f := range frames {
		select {
		case l.frames <- f:
		case <-ctx.Done():
			return false
		}
		if push, _, err := wire.SplitPush(f.payload); err == nil && (f.kind == wire.Request || f.kind == wire.Cancel) {
			tasks = true
			l.had.Store(max(l.had.Load(), push))
		}
	}
	if tasks {
		l.listen(ctx)
	}
	return ctx.Err() == nil
}

// listen waits for what is said of tasks: until nothing came for a while, and no longer than a moment.
func (l *httpLink) listen(ctx context.Context) {
	moment := time.NewTimer(taskMoment)
	defer moment.Stop()
	quiet := time.NewTimer(taskMoment)
	defer quiet.Stop()
	for {
		select {
		case <-l.said:
			quiet.Reset(taskQuiet)
		case <-quiet.C:
			return
		case <-moment.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// hold makes one request, which the relay holds until it has something to say. What it carries and the relay may not
// have goes with the next one.
func (l *httpLink) hold(ctx context.Context) ([]frame, error) {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	ctx, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	l.mu.Lock()
	out, body := l.load()
	l.drop = drop
	l.mu.Unlock()
	frames, err := l.post(ctx, body)
	if err != nil && errors.Is(context.Cause(ctx), errAsked) {
		l.mu.Lock()
		l.out = append(out, l.out...)
		l.mu.Unlock()
		return nil, errAsked
	}
	return frames, err
}

// load takes what the next request carries: as much as a relay takes, and then it is to answer at once. The caller
// holds mu.
func (l *httpLink) load() (out [][]byte, body []byte) {
	n := 0
	for n < len(l.out) && len(body)+len(l.out[n]) <= mostBody {
		body = append(body, l.out[n]...)
		n++
	}
	out, l.out = l.out[:n:n], l.out[n:]
	if l.asks || len(l.out) > 0 {
		body = wire.AppendFrame(body, wire.KeepAlive, nil)
	}
	l.asks = false
	return out, body
}

// ping ends the held request, and with it its connection, and asks over a new one.
func (l *httpLink) ping() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asks = true
	if l.drop != nil {
		l.drop(errAsked)
	}
	return nil
}

func (l *httpLink) send(answers []Answer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range answers {
		l.out = append(l.out, wire.AppendFrame(nil, a.Kind, a.Payload))
	}
	if l.drop != nil {
		l.drop(errAsked)
	}
	select {
	case l.said <- struct{}{}:
	default:
	}
	return nil
}

func (l *httpLink) received() <-chan frame { return l.frames }
func (l *httpLink) fault() error           { return l.err }
func (l *httpLink) raise(session uint64)   { l.session.Store(session) }
func (l *httpLink) facts() facts           { return l.known }

func (l *httpLink) close(bye bool) {
	l.stop()
	for range l.frames {
	}
	if bye { // the end of a request says nothing, where the end of a connection says it all
		ctx, cancel := context.WithTimeout(context.Background(), byeTimeout)
		_, _ = l.post(ctx, wire.AppendFrame(nil, wire.Close, wire.CloseMessage{Code: wire.CloseStopping}.Encode()))
		cancel()
	}
	l.client.CloseIdleConnections()
}
