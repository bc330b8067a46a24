package agent

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"statewire/internal/parse"
	"statewire/smx"
)

const (
	reportPath     = "/mp/reports"
	policyPath     = "/mp/policy"
	postTimeout    = 60 * time.Second // one attempt, from dialling to the answer's last byte, beside what its bytes take
	slowestLink    = 8 << 10          // bytes per second; the same large report over a slower link would never arrive
	idleTimeout    = 90 * time.Second
	maxAnswerBytes = 64 << 10
	leastToGzip    = 512 // bytes; smaller bodies gain nothing
	mostExpansion  = 90  // a relay takes a body for an attack that expands to more than 100 times its size
)

// Answer is what became of one attempt to post a report.
type Answer struct {
	Outcome Outcome       // Accepted, Refused or Again
	Whole   bool          // a refusal that blames none of the report's states
	Receipt string        // the relay's, when Accepted
	File    string        // that the relay put the report into, when Accepted
	After   time.Duration // the relay asked to be left alone for so long; 0 = it did not ask
	Status  int           // HTTP's; 0 = no answer
	Code    string        // of the refusal
	Detail  string
	Err     error // why there was no answer
}

// Sender posts reports to one relay over kept-alive connections. It is safe for concurrent use and never follows a redirect.
type Sender struct {
	url    string // of reports
	policy string // of policies
	pinned bool   // the trust checks the relay's key on every connection
	client *http.Client
	zip    sync.Pool // *gzip.Writer
}

// NewSender returns a sender to the relay at address, such as https://mp.example:8443, over at most conns connections.
func NewSender(address string, trust *tls.Config, conns int) (*Sender, error) {
	u, err := parse.URL(address, "https", "http")
	if err != nil {
		return nil, fmt.Errorf("the relay: %w", err)
	}
	s := newSender(u.JoinPath(reportPath).String(), &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       trust,
		TLSHandshakeTimeout:   10 * time.Second,
		MaxConnsPerHost:       conns,
		MaxIdleConns:          conns,
		MaxIdleConnsPerHost:   conns,
		IdleConnTimeout:       idleTimeout,
		ResponseHeaderTimeout: postTimeout,
		DisableCompression:    true,
	})
	s.policy = u.JoinPath(policyPath).String()
	s.pinned = trust != nil && trust.VerifyConnection != nil
	return s, nil
}

func newSender(url string, transport http.RoundTripper) *Sender {
	return &Sender{
		url: url,
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		zip: sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed); return w }},
	}
}

// Close ends idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Post implements Relay.
func (s *Sender) Post(ctx context.Context, body []byte) Answer {
	req, err := s.request(ctx, body)
	if err != nil {
		return Answer{Outcome: Again, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, postTime(req.ContentLength))
	defer cancel()
	resp, err := s.client.Do(req.WithContext(ctx))
	if err != nil {
		return Answer{Outcome: Again, Err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	return judge(resp, text, err)
}

// postTime is how long an attempt with a body of so many bytes may take.
func postTime(bytes int64) time.Duration {
	return postTimeout + time.Duration(bytes)*time.Second/slowestLink
}

func (s *Sender) request(ctx context.Context, body []byte) (*http.Request, error) {
	encoding := ""
	if len(body) >= leastToGzip {
		zipped, err := s.compress(body)
		if err != nil {
			return nil, err
		}
		if len(body) <= mostExpansion*len(zipped) {
			body, encoding = zipped, "gzip"
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/xml")
	req.Header.Set("User-Agent", "statewire-agent")
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	return req, nil
}

func (s *Sender) compress(body []byte) ([]byte, error) {
	w := s.zip.Get().(*gzip.Writer)
	defer s.zip.Put(w)
	var out bytes.Buffer
	out.Grow(len(body) / 4)
	w.Reset(&out)
	_, err := w.Write(body)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("compress report of %d bytes: %w", len(body), err)
	}
	return out.Bytes(), nil
}

// errNotRelay is an answer that no relay gives: a proxy, a portal or a balancer stands before it.
var errNotRelay = errors.New("something that is no relay answered")

// judge reads the relay's answer. A 202 with its receipt is final, and so is one whose text was cut off: the relay acknowledges only what
// is on disk. What a 4xx of the relay's says of the report will be the same tomorrow. What it says of the address or of the client itself,
// in the header that all its reports share, says nothing of the states in it: those stay. An answer without the relay's words is
// somebody else's and decides nothing; only a 413 does, of which smaller reports are the way out.
func judge(resp *http.Response, text []byte, readErr error) Answer {
	answer := Answer{Status: resp.StatusCode, After: retryAfter(resp.Header), Err: readErr}
	var said struct {
		Receipt, File, Code, Detail string
		Retry                       bool
	}
	if err := json.Unmarshal(text, &said); err == nil {
		answer.Receipt, answer.File, answer.Code, answer.Detail = said.Receipt, said.File, said.Code, said.Detail
	}
	switch code := resp.StatusCode; {
	case code == http.StatusAccepted && (said.Receipt != "" || readErr != nil):
		answer.Outcome = Accepted
	case foreign(code, said.Code) && code != http.StatusRequestEntityTooLarge:
		answer.Outcome, answer.Err = Again, cmp.Or(readErr, errNotRelay)
	case code/100 != 4 || said.Retry:
		answer.Outcome = Again
	case passing(code):
		answer.Outcome = Again
	default:
		answer.Outcome, answer.Whole = Refused, !blamesState(code, answer.Code)
	}
	return answer
}

// foreign tells whether an answer that is not the one asked for comes from somebody else than a relay: a relay says nothing with 2xx then,
// and gives a 4xx its code.
func foreign(status int, code string) bool {
	return status/100 == 2 || status/100 == 4 && code == "" && !passing(status)
}

// forbids tells whether somebody else than a relay refuses what is in the report, as a filter does that sees an attack in it.
func (a *Answer) forbids() bool {
	switch a.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotAcceptable, http.StatusUnprocessableEntity:
		return a.Code == "" && a.Outcome == Again
	}
	return false
}

// retryAfter reads Retry-After in seconds or as a date. A date counts from the answer's own Date: clients' clocks are wrong.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	sent, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil {
		return 0
	}
	return max(0, until.Sub(sent))
}

// blamesState tells whether a 4xx is about one of the report's states. Other refusals are about the address or the request, or about
// the header that all of the client's reports share: no half of the report would fare better.
func blamesState(status int, code string) bool {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusLengthRequired,
		http.StatusUnsupportedMediaType,
		http.StatusExpectationFailed, http.StatusMisdirectedRequest, http.StatusUpgradeRequired, http.StatusRequestHeaderFieldsTooLarge:
		return false
	}
	switch code {
	case smx.CodeClientID, smx.CodeHeader, smx.CodeDate, smx.CodeContent, "empty_body", "bad_compression", "bad_request",
		"ambiguous_length", "bad_chunk", "bare_line_feed", "folded_header", "pipelined":
		return false
	}
	return true
}
