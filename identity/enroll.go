package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/trust"
)

// What is said at enrolment and renewal, for whoever stands between agent and site.
type (
	EnrollAnswer = trust.EnrollAnswer
	RenewAnswer  = trust.RenewAnswer
)

// MaxEnrollBytes bounds the body of an enrolment and of a renewal.
const MaxEnrollBytes = trust.MaxEnrollBytes

// EnrollCall is a request to enrol, and where it came from.
type EnrollCall struct {
	Request trust.EnrollRequest `json:"request"`
	From    netip.Addr          `json:"from"`
}

// Enroll gives a caller its first certificate, or says why not. Everything is decided, and the token's use counted, in
// one transaction.
func (s *Service) Enroll(ctx context.Context, call EnrollCall) (trust.EnrollAnswer, error) {
	a, err := s.read(call)
	if err != nil {
		return trust.EnrollAnswer{}, err
	}
	var d decision
	if err := s.db.View(func(tx *bbolt.Tx) (err error) { d, err = s.decide(tx, a, nil); return err }); err != nil {
		return trust.EnrollAnswer{}, err
	}
	if d.again != nil {
		if err := s.ensureDenied(); err != nil {
			return trust.EnrollAnswer{}, err
		}
		return s.answer(*d.again)
	}
	serial := a.request.LastSerial + 1
	if d.lookUp {
		next, known, err := s.serial(ctx, d.caller.Client, a.request.LastSerial)
		if err != nil {
			return trust.EnrollAnswer{}, err
		}
		serial = next
		if err := s.db.View(func(tx *bbolt.Tx) (err error) { d, err = s.decide(tx, a, &known); return err }); err != nil {
			return trust.EnrollAnswer{}, err
		}
	}
	if d.approve {
		return s.await(ctx, a)
	}
	finish := func(string, string) {}
	if d.action != "" {
		finish, err = s.note(ctx, audit.Action{Actor: "token:" + a.token.ID, From: a.from.String(), Action: d.action,
			Object: d.caller.Key()})
		if err != nil {
			return trust.EnrollAnswer{}, err
		}
	}
	answer, err := s.issueTo(a, serial, d)
	finish(audit.Outcome(err))
	return answer, err
}

// serial asks whoever knows what the client has sent.
func (s *Service) serial(ctx context.Context, client uuid.UUID, last uint64) (next uint64, known bool, err error) {
	if s.deps.Serials == nil {
		return last + 1, false, nil
	}
	next, known, err = s.deps.Serials.NextSerial(ctx, client, last)
	if err != nil {
		s.log.Warn("a client waits for its enrolment: what it has sent cannot be read", "client", clientKey(client),
			"err", err)
		return 0, false, refuse(CodeBusy, "what this client has sent before cannot be read at this moment")
	}
	return next, known, nil
}

// answer says again what was said when the certificate was issued.
func (s *Service) answer(c issued) (trust.EnrollAnswer, error) {
	document, err := s.document()
	if err != nil {
		return trust.EnrollAnswer{}, err
	}
	answer := trust.EnrollAnswer{Certificate: string(c.PEM), CA: string(s.site.authority().bundle()),
		NextSerial: c.Next, NotAfter: c.NotAfter, Trust: document}
	if strings.HasPrefix(c.Holder, "GUID:") {
		answer.ClientID = c.Holder
	}
	return answer, nil
}

// issueTo decides once more and issues, in one transaction; what it denies is on disk when it returns.
func (s *Service) issueTo(a *asked, serial uint64, noted decision) (trust.EnrollAnswer, error) {
	now := s.now()
	if wait := s.hour.take(now); wait > 0 {
		r := refuse(CodeRate, "as many clients enrolled within the hour as enroll.per_hour allows")
		r.After = wait
		return trust.EnrollAnswer{}, r
	}
	var c issued
	var d decision
	// Those who come together share a transaction, and its syncs. One of them that is refused is decided on anew, alone.
	err := s.db.Batch(func(tx *bbolt.Tx) (err error) {
		if d, err = s.decide(tx, a, noted.known); err != nil {
			return err
		}
		switch {
		case d.again != nil:
			c = *d.again
			return nil
		case d.lookUp || d.approve || d.action != noted.action: // somebody else was here meanwhile
			return refuse(CodeBusy, "ask again")
		}
		c, err = s.issueIn(tx, a, d, serial, now)
		return err
	})
	if err != nil || d.again != nil {
		s.hour.giveBack()
	}
	switch {
	case err == nil && d.revokes:
		err = s.writeDenied()
	case err == nil:
		err = s.ensureDenied()
	}
	if err != nil {
		return trust.EnrollAnswer{}, err
	}
	if d.again == nil {
		s.log.Info("certificate issued", "to", d.caller.Key(), "until", c.NotAfter, "token", a.token.ID, "from", a.from)
	}
	return s.answer(c)
}

// issueIn signs and notes a certificate, and counts the token's use.
func (s *Service) issueIn(tx *bbolt.Tx, a *asked, d decision, serial uint64, now time.Time) (issued, error) {
	t, err := tokenOf(tx, a.token.ID)
	if err != nil {
		return issued{}, err
	}
	t.Used++
	key := []byte(d.caller.Key())
	h, _, err := get[holder](tx, bucketHolders, key)
	if err != nil {
		return issued{}, err
	}
	c := issued{Token: a.token.ID}
	if d.caller.IsClient() {
		c.Next = min(max(serial, h.Last, 1), math.MaxInt64)
	}
	if c, err = s.sign(tx, c, d.caller, a.key, a.keyHash, a.request.Hosts, now); err != nil {
		return issued{}, err
	}
	if d.revokes {
		h.Below, h.Until = s.number(tx), h.NotAfter.Add(s.cfg.RenewGrace)
	}
	h.Role, h.Name, h.Version = d.caller.Role, a.request.NetBIOSName, a.request.ClientVersion
	if d.caller.IsClient() {
		h.Client = d.caller.Client.String()
	} else {
		h.Name = d.caller.Name
	}
	h.Enrolled, h.Newest, h.NotAfter, h.Used = now.UTC(), s.number(tx), c.NotAfter, 0
	h.Revoked, h.Shared, h.Last = nil, time.Time{}, c.Next
	return c, errors.Join(put(tx, bucketTokens, []byte(t.ID), t), put(tx, bucketHolders, key, h),
		joins(tx, key, t.Collection), forget(tx, a))
}

// number is the number of the certificate that was signed last.
func (s *Service) number(tx *bbolt.Tx) uint64 {
	number, _, _ := get[uint64](tx, bucketMeta, metaNumber) // sign wrote it in this transaction
	return number
}

// sign gives the certificate its number, signs it and notes it.
func (s *Service) sign(tx *bbolt.Tx, c issued, caller Caller, key any, keyHash [sha256.Size]byte, hosts []string,
	now time.Time) (issued, error) {
	var err error
	if caller.Number, err = nextNumber(tx, now); err != nil {
		return c, err
	}
	life := clientLife
	if !caller.IsClient() {
		life = roleLife
	}
	c.Holder, c.Key, c.At = caller.Key(), keyHash[:], now.UTC()
	if c.PEM, c.NotAfter, err = s.site.authority().issue(caller, key, hosts, now, life); err != nil {
		return c, fmt.Errorf("sign the certificate of %s: %w", caller.Key(), err)
	}
	return c, errors.Join(put(tx, bucketIssued, numberKey(caller.Number), c), put(tx, bucketKeys, keyHash[:],
		caller.Number))
}
