package identity

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"time"

	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/trust"
)

// RenewCall is a request for the next certificate, over the one that is to be renewed.
type RenewCall struct {
	Request trust.RenewRequest `json:"request"`
	Caller  Caller             `json:"caller"` // as the verified certificate says
	From    netip.Addr         `json:"from"`
}

// Renew gives a caller the certificate that follows its own. A certificate is superseded once its successor has been
// seen: whoever shows it then for a renewal has a copy of it.
func (s *Service) Renew(ctx context.Context, call RenewCall) (trust.RenewAnswer, error) {
	key, keyHash, err := readCSR(call.Request.CSR)
	if err != nil {
		return trust.RenewAnswer{}, err
	}
	for _, host := range call.Request.Hosts {
		if !validName(host) || len(call.Request.Hosts) > 32 {
			return trust.RenewAnswer{}, refuse(CodeBadRequest, "hosts are at most 32 host names and IP addresses")
		}
	}
	var c issued
	superseded := false
	err = s.db.Batch(func(tx *bbolt.Tx) (err error) {
		c, superseded, err = s.renewIn(tx, call, key, keyHash)
		return err
	})
	if superseded {
		return trust.RenewAnswer{}, s.shared(ctx, call)
	}
	if err != nil {
		return trust.RenewAnswer{}, err
	}
	document, err := s.document()
	if err != nil {
		return trust.RenewAnswer{}, err
	}
	return trust.RenewAnswer{Certificate: string(c.PEM), CA: string(s.site.authority().bundle()), NotAfter: c.NotAfter,
		Trust: document}, nil
}

func (s *Service) renewIn(tx *bbolt.Tx, call RenewCall, key any, keyHash [32]byte) (c issued, superseded bool,
	err error) {
	name := []byte(call.Caller.Key())
	h, ok, err := get[holder](tx, bucketHolders, name)
	if err != nil {
		return c, false, err
	}
	own, known, err := get[issued](tx, bucketIssued, numberKey(call.Caller.Number))
	if err == nil && !known && call.Caller.Number > h.Newest && !call.Caller.NotAfter.IsZero() {
		own, err = s.recall(tx, call.Caller, &h)
		ok, known = true, true
	}
	switch {
	case err != nil:
		return c, false, err
	case !ok || !known || own.Holder != call.Caller.Key():
		return c, false, refuse(CodeUnknown, "the site has not issued this certificate; enrol anew")
	case h.Revoked != nil || call.Caller.Number < h.Below:
		return c, false, refuse(CodeRevoked, "the certificate of %s was revoked, or replaced by a new enrolment", name)
	case h.Used > call.Caller.Number:
		return c, true, nil
	case bytes.Equal(own.Key, keyHash[:]):
		return c, false, refuse(CodeBadCSR, "csr: a renewal needs a new key")
	}
	if h.Used != call.Caller.Number {
		h.Used = call.Caller.Number
		if err := put(tx, bucketHolders, name, h); err != nil {
			return c, false, err
		}
	}
	if number, ok, err := get[uint64](tx, bucketKeys, keyHash[:]); err != nil || ok {
		c, ok, err = get[issued](tx, bucketIssued, numberKey(number))
		if err != nil || ok && c.After == call.Caller.Number { // its answer was lost
			return c, false, err
		}
	}
	if err := h.renews(s.now()); err != nil {
		return c, false, err
	}
	c, err = s.sign(tx, issued{Token: own.Token, After: call.Caller.Number, Next: own.Next}, call.Caller, key, keyHash,
		call.Request.Hosts, s.now())
	if err != nil {
		return c, false, err
	}
	h.Newest, h.NotAfter = s.number(tx), c.NotAfter
	return c, false, put(tx, bucketHolders, name, h)
}

// recall notes a certificate that the state does not know and that is newer than all it knows of the caller: the state
// came from a backup, and the authority's signature says that the certificate was issued since. Without this, who renewed
// in between would be a stranger for ever.
func (s *Service) recall(tx *bbolt.Tx, caller Caller, h *holder) (issued, error) {
	if h.Enrolled.IsZero() {
		h.Enrolled, h.Role, h.Name = s.now().UTC(), caller.Role, caller.Name
		if caller.IsClient() {
			h.Client = caller.Client.String()
		}
	}
	h.Newest, h.NotAfter = caller.Number, caller.NotAfter.UTC()
	s.log.Warn("a certificate is not in the state, which must have come from a backup; it is taken as issued",
		"caller", caller.Key(), "certificate", caller.Number)
	own := issued{Holder: caller.Key(), At: s.now().UTC(), NotAfter: h.NotAfter}
	return own, errors.Join(put(tx, bucketHolders, []byte(caller.Key()), h),
		put(tx, bucketIssued, numberKey(caller.Number), own))
}

// renewalsAllowed is how many certificates a caller gets by renewal within an hour: each is kept for months.
const renewalsAllowed = 10

// renews counts a renewal.
func (h *holder) renews(now time.Time) error {
	if past := now.Sub(h.Renewing); past < 0 || past >= time.Hour {
		h.Renewals, h.Renewing = 0, now.UTC()
	}
	if h.Renewals >= renewalsAllowed {
		r := refuse(CodeRate, "%d certificates were renewed within the hour, more than any client needs", h.Renewals)
		r.After = h.Renewing.Add(time.Hour).Sub(now)
		return r
	}
	h.Renewals++
	return nil
}

// sharedPause is how long it is not noted again that a caller's certificate is shared: whoever has a superseded one
// could fill the disk.
const sharedPause = time.Hour

// shared notes that two have the same certificate: one of them went on with its successor, and the other asks for one.
func (s *Service) shared(ctx context.Context, call RenewCall) error {
	superseded := refuse(CodeSuperseded, "a newer certificate of %s is in use; if this machine is a copy of another one, "+
		"enrol it anew", call.Caller.Key())
	noted, err := s.notedShared(call.Caller.Key())
	if err != nil {
		return err
	}
	if noted {
		return superseded
	}
	finish, err := s.note(ctx, audit.Action{Actor: call.Caller.Key(), From: call.From.String(),
		Action: "client.identity_shared", Object: call.Caller.Key()})
	if err != nil {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		h, _, err := get[holder](tx, bucketHolders, []byte(call.Caller.Key()))
		if err != nil {
			return err
		}
		h.Shared = s.now().UTC()
		return put(tx, bucketHolders, []byte(call.Caller.Key()), h)
	})
	finish(audit.Outcome(err))
	s.log.Warn("identity_shared: a superseded certificate asks for a renewal; two machines have its key, revoke it and "+
		"enrol both anew", "caller", call.Caller.Key(), "from", call.From)
	return superseded
}

// notedShared says whether it was noted a short time ago that the caller's certificate is shared.
func (s *Service) notedShared(key string) (noted bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		h, _, err := get[holder](tx, bucketHolders, []byte(key))
		past := s.now().Sub(h.Shared)
		noted = !h.Shared.IsZero() && past >= 0 && past < sharedPause
		return err
	})
	return noted, err
}

// Stranger is a caller that spoke for another client.
type Stranger struct {
	Caller  Caller `json:"caller"`
	Claimed string `json:"claimed"` // for whom it spoke
	From    string `json:"from"`    // where it came from
}

// Strangers notes callers that spoke for other clients. They were refused already.
func (s *Service) Strangers(ctx context.Context, strangers []Stranger) error {
	for _, who := range strangers {
		finish, err := s.note(ctx, audit.Action{Actor: who.Caller.Key(), From: who.From, Action: "client.identity_mismatch",
			Object: who.Claimed})
		if err != nil {
			return err
		}
		finish("refused", "")
	}
	return nil
}

// Seen notes with which certificates callers were seen: what came before them is superseded.
func (s *Service) Seen(_ context.Context, callers []Caller) error {
	fresh := func(tx *bbolt.Tx, c Caller) (holder, bool, error) {
		h, ok, err := get[holder](tx, bucketHolders, []byte(c.Key()))
		return h, ok && c.Number > h.Used && c.Number <= h.Newest, err
	}
	var news []Caller
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, c := range callers {
			if _, is, err := fresh(tx, c); err != nil {
				return err
			} else if is {
				news = append(news, c)
			}
		}
		return nil
	})
	if err != nil || len(news) == 0 {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range news {
			h, is, err := fresh(tx, c)
			if err != nil {
				return err
			}
			if !is {
				continue
			}
			h.Used = c.Number
			if err := put(tx, bucketHolders, []byte(c.Key()), h); err != nil {
				return err
			}
		}
		return nil
	})
}
