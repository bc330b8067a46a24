package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"time"

	"statewire/identity"
	"statewire/smx"
)

const (
	maxEnrollBytes   = identity.MaxEnrollBytes
	enrolmentsAtOnce = 32
	// strangerMemory bounds the bodies of enrolments held at one time. All connections of one address need less.
	strangerMemory = 24 << 20
	// enrollTimeout bounds how long a caller waits for whoever gives out certificates.
	enrollTimeout = 30 * time.Second
)

// Enrolment gives out certificates: the identity stage of this process, or of another one.
type Enrolment interface {
	Enroll(context.Context, identity.EnrollCall) (identity.EnrollAnswer, error)
	Renew(context.Context, identity.RenewCall) (identity.RenewAnswer, error)
	// Seen is told with which certificates callers were seen.
	Seen(context.Context, []identity.Caller) error
	// Strangers is told of callers that spoke for another client.
	Strangers(context.Context, []identity.Stranger) error
}

// serveEnroll is for callers that have no certificate yet: their token says that they may have one.
func (r *Relay) serveEnroll(w http.ResponseWriter, req *http.Request) *problem {
	return r.certify(w, "enroll", func() (answer any, pending bool, p *problem) {
		body, p := r.strangersBody(w, req)
		if p != nil {
			return nil, false, p
		}
		var call identity.EnrollCall
		if p := decode(body, &call.Request); p != nil {
			return nil, false, p
		}
		call.From = addressOf(req)
		ctx, end, p := place(req, r.enrolling)
		if p != nil {
			return nil, false, p
		}
		defer end()
		out, err := r.enrolment.Enroll(ctx, call)
		if err != nil {
			return nil, false, r.notIssued(err)
		}
		return out, out.Pending != "", nil
	})
}

// serveRenew is for callers whose certificate is good, or expired within the grace.
func (r *Relay) serveRenew(w http.ResponseWriter, req *http.Request) *problem {
	return r.certify(w, "renew", func() (answer any, pending bool, p *problem) {
		caller, p := r.renewer(req)
		if p != nil {
			return nil, false, p
		}
		body, p := r.certificateBody(w, req, r.memory)
		if p != nil {
			return nil, false, p
		}
		call := identity.RenewCall{Caller: caller, From: addressOf(req)}
		if p := decode(body, &call.Request); p != nil {
			return nil, false, p
		}
		ctx, end, p := place(req, r.renewing)
		if p != nil {
			return nil, false, p
		}
		defer end()
		out, err := r.enrolment.Renew(ctx, call)
		if err != nil {
			return nil, false, r.notIssued(err)
		}
		return out, false, nil
	})
}

// renewer is who asks for a renewal.
func (r *Relay) renewer(req *http.Request) (identity.Caller, *problem) {
	if r.callers == nil {
		return identity.Caller{}, refuse(codeUnknown, "this relay knows no clients yet")
	}
	if r.cfg.Auth == AuthNone { // the handshake has not asked
		if err := r.callers.Verify(*req.TLS); err != nil {
			return identity.Caller{}, notKnown(err)
		}
	}
	caller, err := r.callers.Caller(req.TLS)
	var refused *identity.Refusal
	if err != nil && (!errors.As(err, &refused) || refused.Code != identity.CodeExpired) {
		return caller, notKnown(err)
	}
	return caller, nil
}

// certify reads a request for a certificate, has it answered, and counts what became of it.
func (r *Relay) certify(w http.ResponseWriter, kind string,
	do func() (answer any, pending bool, p *problem)) *problem {
	answer, pending, p := do()
	result := "issued"
	switch {
	case p != nil && p.Retry:
		result = "later"
	case p != nil:
		result = "refused"
	case pending:
		result = "pending"
	}
	r.metrics.enrolments.WithLabelValues(kind, result).Inc()
	if p != nil {
		return p
	}
	header := w.Header()
	header["Content-Type"] = contentTypeJSON
	header.Set("Cache-Control", "no-store")
	if pending {
		header.Set("Retry-After", "60")
		w.WriteHeader(http.StatusAccepted)
	}
	_ = json.NewEncoder(w).Encode(answer) // a caller that hung up asks again
	return nil
}

// strangersBody reads an enrolment. Its sender has shown nothing yet: while it sends, its connection gives way to others.
func (r *Relay) strangersBody(w http.ResponseWriter, req *http.Request) ([]byte, *problem) {
	c := connOf(req)
	r.listener.waits(c)
	defer r.listener.works(c)
	return r.certificateBody(w, req, r.strangers)
}

// certificateBody reads the whole body of a request for a certificate. It takes no place from others meanwhile: whoever
// sends slowly would keep it.
func (r *Relay) certificateBody(w http.ResponseWriter, req *http.Request, memory *budget) ([]byte, *problem) {
	if req.ContentLength > maxEnrollBytes {
		return nil, enrolmentTooLarge()
	}
	if r.enrolment == nil {
		return nil, refuse(identity.CodeUnavailable, "this relay gives out no certificates").later(r.cfg.RetryAfter)
	}
	var d delivery
	defer func() { memory.give(d.held) }() // what is left of it is worked on by few at once
	body, err := d.fill(nil, http.MaxBytesReader(w, req.Body, maxEnrollBytes), maxEnrollBytes, req.ContentLength, memory)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, enrolmentTooLarge()
	case errors.Is(err, errNoMemory):
		return nil, overloaded()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(codeBodySlow, "the body came too slowly")
	case err != nil:
		return nil, refuse(codeBodyCut, "the body did not come whole")
	}
	return body, nil
}

// place waits for one of the places, and gives the caller its time there.
func place(req *http.Request, places chan struct{}) (ctx context.Context, end func(), p *problem) {
	select {
	case places <- struct{}{}:
	case <-time.After(enrollTimeout / 3):
		return nil, nil, overloaded()
	}
	ctx, cancel := context.WithTimeout(req.Context(), enrollTimeout)
	return ctx, func() { cancel(); <-places }, nil
}

func enrolmentTooLarge() *problem {
	return refuse(smx.CodeTooLarge, "a request for a certificate has at most %d bytes", maxEnrollBytes)
}

// decode reads one JSON document. Members that nobody knows are left to later versions.
func decode(body []byte, into any) *problem {
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(into); err != nil {
		return refuse(codeEnrolment, "the body is not the JSON document that was expected, near byte %d", d.InputOffset())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(codeEnrolment, "something follows the JSON document, at byte %d", d.InputOffset())
	}
	return nil
}

// notIssued says why there is no certificate. What is not the caller's fault is told to the log alone.
func (r *Relay) notIssued(err error) *problem {
	var refused *identity.Refusal
	if errors.As(err, &refused) {
		if refused.Code == identity.CodeUnavailable {
			r.withoutIdentity.Do(func() { r.log.Warn("no certificates can be given out", "err", err) })
		}
		p := notKnown(refused)
		if p.Retry && p.after == 0 {
			p.after = r.cfg.RetryAfter
		}
		return p
	}
	r.log.Error("a certificate was not given out", "err", err)
	return refuse(codeInternal, "the site failed on this request; its log says why").later(r.cfg.RetryAfter)
}

// addressOf is where a request came from.
func addressOf(req *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}
