package transport

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"statewire/internal/parse"
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

// Sender posts reports to one relay over kept-alive connections. It is safe for concurrent use and never follows a
// redirect.
type Sender struct {
	// Constant after New, and after Heed.
	url    string // of reports
	policy string // of policies
	renew  string // of certificates
	trust  *tls.Config
	pinned bool // the trust checks the relay's key on every connection
	client *http.Client
	zip    *sync.Pool // *gzip.Writer
	heed   func(code string)
}

// refusalsHeeded are the codes with which a relay refuses not what it was sent but the certificate of who sent it.
var refusalsHeeded = []string{CodeExpired, CodeSuperseded, CodeRevoked}

// Codes of refusals that are about a certificate.
const (
	CodeExpired    = "certificate_expired"
	CodeSuperseded = "superseded"
	CodeRevoked    = "certificate_revoked"
)

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
	s.policy, s.renew, s.trust = u.JoinPath(policyPath).String(), u.JoinPath(renewPath).String(), trust
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
		zip: &sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed); return w }},
	}
}

// Share makes this sender and another use the same memory for what they compress: of thousands of senders few compress
// at one time, and each compressor takes a megabyte.
func (s *Sender) Share(with *Sender) { s.zip = with.zip }

// Heed has fn called with the code of every refusal that is about the client's certificate. Call it before the sender
// is used.
func (s *Sender) Heed(fn func(code string)) { s.heed = fn }

// heard passes on what a refusal says of the client's certificate. The connection was opened with that certificate: the
// next request takes another connection, and with it the certificate of then.
func (s *Sender) heard(status int, code string) {
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
		return
	}
	s.Close()
	if s.heed != nil && slices.Contains(refusalsHeeded, code) {
		s.heed(code)
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
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	answer := judge(resp, text, err)
	resp.Body.Close()
	s.heard(answer.Status, answer.Code)
	return answer
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
