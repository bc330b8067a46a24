package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"statewire/smx"
)

// poster sends reports to a relay as clients do.
type poster struct {
	url  string
	http *http.Client
}

func newPoster(t testing.TB, data, relay string) *poster {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(data, "identity", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13},
		MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return &poster{"https://" + relay + "/mp/reports", &http.Client{Transport: transport, Timeout: patience}}
}

// answer is the relay's to one POST; status 0 means that there was none.
type answer struct {
	status        int
	receipt, code string
	retryAfter    string
	err           error
}

func (p *poster) post(ctx context.Context, body []byte) (a answer) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Content-Type", "application/xml")
	resp, err := p.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{err: err}
	}
	var fields struct{ Receipt, Code string }
	if err := json.Unmarshal(text, &fields); err != nil {
		return answer{err: fmt.Errorf("%w in %q", err, text)}
	}
	return answer{resp.StatusCode, fields.Receipt, fields.Code, resp.Header.Get("Retry-After"), nil}
}

// send posts a report and notes in the ledger what became of it.
func (p *poster) send(ctx context.Context, l *ledger, body []byte, keys []key) answer {
	l.sent(keys)
	a := p.post(ctx, body)
	if a.status == http.StatusAccepted {
		l.ack(keys, a.receipt)
	}
	return a
}

// accept posts a report that must be acknowledged.
func (p *poster) accept(t testing.TB, l *ledger, client int, first, last uint64) {
	t.Helper()
	r, keys := report(client, smx.NoPriority, first, last)
	if a := p.send(t.Context(), l, smx.AppendReport(nil, r), keys); a.status != http.StatusAccepted {
		t.Fatalf("answer %+v, want 202", a)
	}
}

// counters hands out the serials of a test's clients.
type counters struct {
	mu   sync.Mutex
	next map[int]uint64 // Guarded by mu.
}

func (s *counters) take(client int, n uint64) (first, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = map[int]uint64{}
	}
	first = s.next[client] + 1
	s.next[client] += n
	return first, s.next[client]
}

// traffic posts new reports with some callers at once until ctx is done or the process is gone.
func traffic(ctx context.Context, p *process, to *poster, l *ledger, s *counters, callers int, seed uint64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			chance := rand.New(rand.NewPCG(seed, uint64(c)))
			for ctx.Err() == nil && !p.ended() {
				first, last := s.take(c, 1+chance.Uint64N(4))
				r, keys := report(c, int8(chance.IntN(11))-1, first, last)
				if a := to.send(ctx, l, smx.AppendReport(nil, r), keys); a.status != http.StatusAccepted {
					eventually(100*time.Millisecond, p.ended)
				}
			}
		})
	}
	all.Wait()
}
