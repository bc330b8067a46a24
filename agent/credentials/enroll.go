package credentials

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"statewire/agent/transport"
	"statewire/internal/backoff"
	"statewire/smx"
	"statewire/trust"
)

// Request is what a client enrols with.
type Request struct {
	Relay         string
	Token         trust.Token
	NetBIOSName   string
	ClientVersion string
}

// Refusal is what an enrolment or a renewal ends with that will never succeed as it is.
type Refusal struct{ Code, Reason string }

// Error says what the site said, and what to do.
func (r *Refusal) Error() string {
	if advice := advices[r.Code]; advice != "" {
		return fmt.Sprintf("%s (%s): %s", r.Code, r.Reason, advice)
	}
	return fmt.Sprintf("%s: %s", r.Code, r.Reason)
}

// advices are what to do about a refusal, by its code.
var advices = map[string]string{
	"wrong_pin": "check the relay's address; if the site's authority was replaced, make a new token with `statewire " +
		"enroll " +
		"token create` at the site",
	"wrong_trust": "nothing of the answer was kept; something between this machine and the site changes answers, or the " +
		"site's root keys were replaced since the token was made: tell the site's administrator",
	"bad_answer": "nothing of the answer was kept; something between this machine and the site changes answers, or the " +
		"relay is of another version: tell the site's administrator",
	"client_known": "this client reported to the site before it had a certificate; if it is the same machine, have the " +
		"site's administrator make a token for it: `statewire enroll token create --client GUID`, or with --adopt",
	"already_enrolled": "another key holds a certificate of this client; if this is the same machine, set up anew, ask " +
		"for a " +
		"token that is bound to it: `statewire enroll token create --client GUID`; if it is a copy of another machine, run " +
		"`statewire agent new-id` first",
	"client_revoked": "the site's administrator revoked this client; a token that is bound to it and made since lets " +
		"it in: " +
		"`statewire enroll token create --client GUID`",
	"token_invalid":    "ask for another token; this one was mistyped, or was removed at the site",
	"token_used":       "it was good for fewer machines than tried; ask for another token",
	"token_expired":    "ask for another token",
	"enrolment_denied": "an administrator of the site denied this enrolment; ask for another token",
	"superseded": "a newer certificate of this client is in use elsewhere: this machine was set back to an older " +
		"image, or " +
		"is a copy; enrol it anew with `statewire agent enroll`, a copy after `statewire agent new-id`",
}

// Progress is told while an enrolment is under way.
type Progress struct {
	Pending string // id under which a person has to approve it; empty = the attempt failed
	Problem string
	Wait    time.Duration // until the next attempt
}

// Enroll asks for a certificate until there is one, ctx ends, or the site refuses for good. What it keeps of an answer
// was checked whole: against the token's pin, the client's id and the key. The key is on disk before the relay hears of
// it, so that an answer that was lost comes again.
func (c *Credentials) Enroll(ctx context.Context, r Request, tell func(Progress)) error {
	c.asking.Lock()
	defer c.asking.Unlock()
	key, err := c.pendingKey(r.Token.ID)
	if err != nil {
		return err
	}
	last := "no relay was asked"
	for failures := 0; ; failures++ {
		if ctx.Err() != nil {
			return fmt.Errorf("no certificate in time; the last attempt: %s", last)
		}
		got, err := c.askOnce(ctx, r, key)
		if err != nil {
			return err
		}
		wait := Progress{Pending: got.Answer.Pending, Wait: backoff.Pause(failures, min(got.After, time.Hour))}
		switch got.Outcome {
		case transport.Accepted:
			return c.take(got.Answer, r, key)
		case transport.Refused:
			return c.refused(got)
		case transport.Idle:
			failures = 0
			if err := c.await(got.Answer.Pending); err != nil {
				return err
			}
			last = "an administrator of the site has to approve it: `statewire enroll approve " + got.Answer.Pending + "`"
		default:
			wait.Problem = got.Reason()
			if ctx.Err() == nil {
				last = wait.Problem
			}
			c.note("enrolment: " + last)
		}
		tell(wait)
		_ = backoff.Sleep(ctx, wait.Wait) // the loop looks at ctx
	}
}

func (c *Credentials) askOnce(ctx context.Context, r Request, key *ecdsa.PrivateKey) (transport.Issue, error) {
	csr, err := request(key, c.client)
	if err != nil {
		return transport.Issue{}, fmt.Errorf("make a certificate request: %w", err)
	}
	sum, err := c.serials.Summary()
	if err != nil {
		return transport.Issue{}, fmt.Errorf("sum up the store: %w", err)
	}
	return transport.Enroll(ctx, r.Relay, r.Token.Pin, trust.EnrollRequest{Token: r.Token.String(), CSR: csr,
		ClientID: c.client.String(), NetBIOSName: r.NetBIOSName, ClientVersion: r.ClientVersion,
		LastSerial: sum.LastSerial}, c.now), nil
}

func (c *Credentials) refused(got transport.Issue) error {
	refusal := &Refusal{Code: got.Code, Reason: got.Detail}
	if got.Err != nil {
		refusal.Reason = got.Reason()
	}
	c.note(refusal.Error())
	return refusal
}

// pendingKey is the key that was asked for before with the same token, or a new one; both are on disk. A renewal has no
// token.
func (c *Credentials) pendingKey(token string) (*ecdsa.PrivateKey, error) {
	c.mu.Lock()
	pending := c.kept.Pending
	c.mu.Unlock()
	if pending != nil && pending.Token == token {
		key, err := readKey(pending.Key)
		if err != nil {
			return nil, fmt.Errorf("read the key of a request under way: %w", err)
		}
		return key, nil
	}
	text, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := c.replace(func(k *Kept) { k.Pending = &Pending{Key: text, Token: token} }); err != nil {
		return nil, err
	}
	return readKey(text)
}

// await keeps the id under which a person has to approve the enrolment.
func (c *Credentials) await(id string) error {
	c.note("")
	return c.replace(func(k *Kept) { k.Pending.Approval = id })
}

// take checks an enrolment's answer and keeps it.
func (c *Credentials) take(answer trust.EnrollAnswer, r Request, key *ecdsa.PrivateKey) error {
	ca, leaf, err := c.check(answer, r.Token.Pin, key)
	if err == nil {
		_, err = trust.First(answer.Trust, r.Token.Pin.Roots)
	}
	if err != nil {
		refusal := &Refusal{Code: "bad_answer", Reason: err.Error()}
		if errors.Is(err, trust.ErrWrong) {
			refusal.Code = trust.ErrWrong.Error()
		}
		c.note(refusal.Error())
		return refusal
	}
	// Before the certificate is used: no report may leave under a serial that the site has seen.
	if err := c.serials.Continue(answer.NextSerial - 1); err != nil {
		return fmt.Errorf("continue from serial %d: %w", answer.NextSerial, err)
	}
	err = c.replace(func(k *Kept) {
		*k = Kept{Key: k.Pending.Key, Certificate: []byte(answer.Certificate), CA: inPEM(ca),
			Trust: bytes.Clone(answer.Trust),
			Relay: r.Relay, Enrolled: c.now().UTC().Truncate(time.Second), NextSerial: answer.NextSerial}
	})
	if err != nil {
		return err
	}
	c.settled()
	c.log.Info("enrolled", "client", c.client, "certificate", leaf.SerialNumber, "until", leaf.NotAfter, "next_serial",
		answer.NextSerial)
	c.tellChange()
	return nil
}

// settled forgets what went wrong before there was a new certificate.
func (c *Credentials) settled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem, c.expired = "", false
}

// check holds an enrolment's answer against the pin, the client and its key, and returns the authorities and the
// certificate.
func (c *Credentials) check(answer trust.EnrollAnswer, pin trust.Pin,
	key *ecdsa.PrivateKey) ([]*x509.Certificate, *x509.Certificate, error) {
	ca, err := certificatesIn([]byte(answer.CA))
	if err != nil {
		return nil, nil, fmt.Errorf("the authorities in the answer: %w", err)
	}
	pinned := slices.DeleteFunc(slices.Clone(ca), func(cert *x509.Certificate) bool {
		return sha256.Sum256(cert.RawSubjectPublicKeyInfo) != pin.CA
	})
	if len(pinned) == 0 {
		return nil, nil, errors.New("the answer does not hold the authority that the token names")
	}
	leaf, err := c.issued(answer.Certificate, pinned, key)
	if err != nil {
		return nil, nil, err
	}
	if answer.ClientID != c.client.String() {
		return nil, nil, fmt.Errorf("the answer is for client %.60q", answer.ClientID)
	}
	if answer.NextSerial == 0 || answer.NextSerial > smx.MaxSerial {
		return nil, nil, fmt.Errorf("the answer names no serial to continue from but %d", answer.NextSerial)
	}
	return ca, leaf, nil
}

// issued holds a certificate against the authorities, the client and its key. The clock of the machine has no part in
// it: one that is wrong must not make a client ask again and again.
func (c *Credentials) issued(text string, authorities []*x509.Certificate, key *ecdsa.PrivateKey) (*x509.Certificate,
	error) {
	chain, err := certificatesIn([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the certificate in the answer: %w", err)
	}
	leaf := chain[0]
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(key.Public()) {
		return nil, errors.New("the certificate in the answer is for another key")
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: poolOf(authorities), Intermediates: poolOf(chain[1:]),
		CurrentTime: leaf.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return nil, fmt.Errorf("the certificate in the answer is not the site's: %w", err)
	}
	who, err := ownerOf(leaf)
	if err != nil {
		return nil, err
	}
	if who.client != c.client {
		return nil, fmt.Errorf("the certificate in the answer is for client %s", who.client)
	}
	return leaf, nil
}
