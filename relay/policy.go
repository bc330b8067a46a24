package relay

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"statewire/internal/parse"
	"statewire/smx"
)

const (
	contentTypeXML = "application/xml"
	// policyTimeout bounds how long a poll waits for whoever knows the policies.
	policyTimeout = 5 * time.Second
	// maxSerial is the greatest serial a client can have given; a greater one would never count as seen.
	maxSerial = 1 << 62
)

// policies knows what the site wants of a client, and takes note of what the client says of itself. The tag changes
// whenever the document does; it comes with or without quotation marks.
type policies interface {
	Policy(ctx context.Context, poll smx.Poll) (document []byte, etag string, err error)
}

// servePolicy answers one poll and counts what became of it.
func (r *Relay) servePolicy(w http.ResponseWriter, req *http.Request) *problem {
	result, p := r.policy(w, req)
	switch {
	case p == nil:
	case p.Retry:
		result = "later"
	default:
		result = "refused"
	}
	r.metrics.policies.WithLabelValues(result).Inc()
	return p
}

// policy sends the caller its policy, or says that the one it has is still the present one. A full disk or a backlog
// keeps nobody from it: nothing is stored here.
func (r *Relay) policy(w http.ResponseWriter, req *http.Request) (result string, p *problem) {
	if req.ContentLength != 0 || len(req.TransferEncoding) > 0 {
		return "", badPoll("a poll has no body")
	}
	poll, p := r.pollOf(req)
	if p != nil {
		return "", p
	}
	document, etag, p := r.lookUp(req.Context(), poll)
	if p != nil {
		return "", p
	}
	header := w.Header()
	header.Set("ETag", etag)
	header.Set("Cache-Control", "no-cache")
	if matches(req.Header["If-None-Match"], etag) {
		w.WriteHeader(http.StatusNotModified)
		return "unchanged", nil
	}
	header.Set("Content-Type", contentTypeXML)
	w.Write(document)
	r.log.Debug("policy sent", "client", poll.Client.UUID(), "etag", etag, "bytes", len(document))
	return "sent", nil
}

// pollOf reads the poll of a caller that is who it says and keeps to its rate.
func (r *Relay) pollOf(req *http.Request) (smx.Poll, *problem) {
	if p := r.shown(req); p != nil {
		return smx.Poll{}, p
	}
	caller, p := r.identify(req)
	if p != nil {
		p.hangs = p.Status == http.StatusUnauthorized // there is no body; who the caller is decides another handshake
		return smx.Poll{}, p
	}
	poll, named, p := parsePoll(req.URL.RawQuery)
	switch {
	case p != nil:
		return poll, p
	case r.cfg.Auth == AuthNone && !named:
		return poll, badPoll("client is missing; without client certificates a poll names its client")
	case r.cfg.Auth == AuthNone:
		return poll, r.rates.take(poll.Client, r.now())
	case named && poll.Client != caller:
		r.log.Warn("poll for another client refused", "caller", caller.UUID(), "client", poll.Client.UUID(), "remote",
			req.RemoteAddr)
		r.noteStranger(req, poll.Client)
		return poll, refuse(codeMismatch, "the poll's client is not the one that the caller's certificate was issued to")
	}
	poll.Client = caller
	return poll, nil
}

// lookUp asks for the policy, for a bounded time.
func (r *Relay) lookUp(ctx context.Context, poll smx.Poll) (document []byte, etag string, p *problem) {
	if r.policies == nil {
		return nil, "", refuse(codePolicy, "this relay serves no policies").later(r.cfg.RetryAfter)
	}
	ctx, cancel := context.WithTimeout(ctx, policyTimeout)
	defer cancel()
	document, etag, err := r.policies.Policy(ctx, poll)
	if err != nil {
		r.withoutPolicy.Do(func() { r.log.Warn("policy not known", "client", poll.Client.UUID(), "err", err) })
		return nil, "", refuse(codePolicy, "the site's policies can't be read at this moment").later(r.cfg.RetryAfter)
	}
	if !strings.HasSuffix(etag, `"`) {
		etag = `"` + etag + `"`
	}
	return document, etag, nil
}

// parsePoll reads a poll's query; named says whether it names the client. Parameters that nobody knows are ignored. A
// poll that does not tell all of states, digest and unsent counts as one with much unsent: then nothing is compared.
func parsePoll(query string) (poll smx.Poll, named bool, p *problem) {
	values, err := parse.Query(query)
	if err != nil {
		return poll, false, badPoll(err.Error())
	}
	q := pollQuery{values: values}
	poll.LastSerial = q.number("serial", 10, maxSerial)
	poll.States = uint32(q.number("states", 10, math.MaxUint32))
	poll.Unsent = uint32(q.number("unsent", 10, math.MaxUint32))
	poll.Digest = q.number("digest", 16, math.MaxUint64)
	if q.has("digest") && len(q.values.Get("digest")) != 16 {
		q.fail("digest is not 16 hex digits")
	}
	if !q.has("states") || !q.has("digest") || !q.has("unsent") {
		poll.Unsent = math.MaxUint32
	}
	if named = q.has("client"); named {
		if poll.Client, err = smx.ParseClientID(values.Get("client")); err != nil {
			q.fail("%v", err)
		}
	}
	return poll, named, q.problem
}

// pollQuery takes parameters and keeps the first fault.
type pollQuery struct {
	values  url.Values
	problem *problem
}

// has says whether the parameter is there; once is enough.
func (q *pollQuery) has(name string) bool {
	n := len(q.values[name])
	if n > 1 {
		q.fail("%s comes %d times", name, n)
	}
	return n > 0
}

// number is an unsigned number of at most max; 0 when the parameter is absent.
func (q *pollQuery) number(name string, base int, max uint64) uint64 {
	if !q.has(name) {
		return 0
	}
	n, err := strconv.ParseUint(q.values.Get(name), base, 64)
	if err != nil || n > max {
		q.fail("%s is no number from 0 to %s", name, strconv.FormatUint(max, base))
		return 0
	}
	return n
}

func (q *pollQuery) fail(detail string, args ...any) {
	if q.problem == nil {
		q.problem = badPoll(fmt.Sprintf(detail, args...))
	}
}

func badPoll(detail string) *problem { return refuse(codePoll, "%s", detail) }

// matches says whether one of the tags that the caller has is the present one.
func matches(had []string, etag string) bool {
	for _, line := range had {
		for tag := range strings.SplitSeq(line, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
				return true
			}
		}
	}
	return false
}
