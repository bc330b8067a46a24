package credentials

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"statewire/agent/transport"
	"statewire/internal/backoff"
	"statewire/trust"
)

// A certificate is renewed at a point of its life between these two shares: two thirds, a tenth of it earlier or later,
// so that clients that enrolled on one day do not come on one day again.
const (
	renewFrom = 0.60
	renewTo   = 0.73
)

// mostNap bounds how long Run sleeps: a wall clock may be set, and a machine may have slept.
const mostNap = 10 * time.Minute

// renewer is the way to the relay.
type renewer interface {
	Renew(ctx context.Context, request trust.RenewRequest) transport.Issue
}

// renewAt is when a certificate is renewed. It is drawn from the certificate itself: a machine that starts every day
// draws no new moment every day.
func renewAt(leaf *x509.Certificate) time.Time {
	sum := sha256.Sum256(leaf.Raw)
	chance := float64(binary.BigEndian.Uint64(sum[:])) / math.MaxUint64
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return leaf.NotBefore.Add(time.Duration(float64(life) * (renewFrom + (renewTo-renewFrom)*chance)))
}

// Heed takes note of what a relay said of the certificate: one that it calls expired is renewed at once, whatever this
// machine's clock says. It never blocks.
func (c *Credentials) Heed(code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair == nil {
		return
	}
	switch code {
	case transport.CodeExpired:
		c.expired = true
		c.poke()
	case transport.CodeRevoked:
		c.problem = "the site revoked this client's certificate, or replaced it by a new enrolment; enrol it anew with " +
			"`statewire agent enroll`"
	}
}

// Run renews the certificate when it is due, until ctx ends. It returns an error only when the store fails.
func (c *Credentials) Run(ctx context.Context, relay renewer) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-timer.C:
		}
		wait, err := c.Tend(ctx, relay)
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

// Tend renews the certificate if it is due, and returns when to look again.
func (c *Credentials) Tend(ctx context.Context, relay renewer) (time.Duration, error) {
	wait, due := c.dueIn()
	if !due {
		c.failures.Store(0)
		return min(wait, mostNap), nil
	}
	after, renewed, err := c.Renew(ctx, relay)
	if err != nil || ctx.Err() != nil {
		return 0, err
	}
	if renewed {
		c.failures.Store(0)
		wait, _ := c.dueIn()
		return min(wait, mostNap), nil
	}
	return backoff.Pause(int(c.failures.Add(1))-1, min(after, time.Hour)), nil
}

// dueIn is the time until the certificate is to be renewed.
func (c *Credentials) dueIn() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair == nil || c.kept.Ended != "" {
		return mostNap, false
	}
	wait := renewAt(c.pair.Leaf).Sub(c.now())
	return wait, c.expired || wait <= 0
}

// Renew asks once for the next certificate, with a new key. One whose answer was lost is asked for again with the same
// key. The error is the store's.
func (c *Credentials) Renew(ctx context.Context, relay renewer) (after time.Duration, renewed bool, err error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	if !c.Enrolled() {
		return 0, false, errNotEnrolled
	}
	key, err := c.pendingKey("")
	if err != nil {
		return 0, false, err
	}
	csr, err := request(key, c.client)
	if err != nil {
		return 0, false, fmt.Errorf("make a certificate request: %w", err)
	}
	got := relay.Renew(ctx, trust.RenewRequest{CSR: csr})
	if got.Status == 0 && ctx.Err() != nil {
		return 0, false, nil // we stopped, not the relay
	}
	if got.Outcome != transport.Accepted {
		return got.After, false, c.notRenewed(got)
	}
	leaf, err := c.takeRenewed(got.Answer, key)
	if err != nil {
		return 0, false, err
	}
	return 0, leaf != nil, nil
}

// notRenewed notes why there is no new certificate. One that was superseded is never renewed again: the site takes this
// machine for a copy.
func (c *Credentials) notRenewed(got transport.Issue) error {
	why := "renewal: " + got.Reason()
	if transport.CertificateRefused(got.Err) {
		why = "renewal: the relay refuses this client's certificate in the handshake: it was revoked, or it expired too long " +
			"ago; enrol it anew with `statewire agent enroll` (" + transport.Cause(got.Err) + ")"
	}
	ended := got.Outcome == transport.Refused && got.Code == transport.CodeSuperseded
	if ended {
		why = "renewal: " + (&Refusal{Code: got.Code, Reason: got.Detail}).Error()
	}
	c.note(why)
	c.log.Warn("certificate not renewed", "client", c.client, "status", got.Status, "code", got.Code, "why", why)
	if ended {
		return c.replace(func(k *Kept) { k.Ended, k.Pending = got.Code, nil })
	}
	return nil
}

// takeRenewed checks a renewal's answer and keeps all of it; nil when it is not what was asked for. Then the same is
// asked for again: another relay may give it.
func (c *Credentials) takeRenewed(answer trust.EnrollAnswer, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	leaf, ca, document, err := c.checkRenewed(answer, key)
	if err != nil {
		c.note("renewal: the relay's answer is not taken: " + err.Error())
		c.log.Warn("certificate not renewed", "client", c.client, "why", err)
		return nil, nil
	}
	err = c.replace(func(k *Kept) {
		k.Key, k.Certificate, k.Pending, k.Ended = k.Pending.Key, []byte(answer.Certificate), nil, ""
		k.Trust = document.Envelope()
		k.follow(ca)
	})
	if err != nil {
		return nil, err
	}
	c.settled()
	c.log.Info("certificate renewed", "client", c.client, "certificate", leaf.SerialNumber, "until", leaf.NotAfter)
	c.tellChange()
	return leaf, nil
}

func (c *Credentials) checkRenewed(answer trust.EnrollAnswer, key *ecdsa.PrivateKey) (leaf *x509.Certificate,
	ca []*x509.Certificate, document *trust.Document, err error) {
	if ca, err = certificatesIn([]byte(answer.CA)); err != nil {
		return nil, nil, nil, fmt.Errorf("the authorities in the answer: %w", err)
	}
	if !c.believes(ca) {
		return nil, nil, nil, errStrangers
	}
	if leaf, err = c.issued(answer.Certificate, ca, key); err != nil {
		return nil, nil, nil, err
	}
	who, err := ownerOf(leaf)
	if err != nil {
		return nil, nil, nil, err
	}
	c.mu.Lock()
	site, have := c.owner.site, c.document
	c.mu.Unlock()
	if who.site != site {
		return nil, nil, nil, fmt.Errorf("the certificate in the answer is of another site, %.60q", who.site)
	}
	if len(answer.Trust) == 0 {
		return leaf, ca, have, nil
	}
	document, err = trust.Next(answer.Trust, have)
	if errors.Is(err, trust.ErrOlder) {
		document, err = have, nil
	}
	return leaf, ca, document, err
}
