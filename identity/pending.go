package identity

import (
	"bytes"
	"context"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"statewire/audit"
	"statewire/internal/control"
	"statewire/trust"
)

// maxPending bounds the requests that wait for somebody.
const maxPending = 10_000

// sparePending is how many requests with one token may be there beyond the uses that it has left.
const sparePending = 100

// Pending is a request that waits for somebody to approve it.
type Pending struct {
	ID       string    `json:"id"`
	Token    string    `json:"token"`
	Client   string    `json:"client,omitempty"` // the id that it asks for
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	From     string    `json:"from"`
	Asked    time.Time `json:"asked"`
	Decision string    `json:"decision"` // waiting, approved or denied
	By       string    `json:"by,omitempty"`

	Key []byte `json:"key"` // SHA-256 of the public key
}

const (
	waiting  = "waiting"
	approved = "approved"
	denied   = "denied"
)

// pendingOf finds the request with the same token and key.
func pendingOf(tx *bbolt.Tx, a *asked) (found Pending, ok bool, err error) {
	err = each(tx, bucketPending, func(_ []byte, p Pending) error {
		if p.Token == a.token.ID && bytes.Equal(p.Key, a.keyHash[:]) {
			found, ok = p, true
		}
		return nil
	})
	return found, ok, err
}

// approval says whether somebody approved the request; a denial is an error.
func approval(tx *bbolt.Tx, a *asked) (bool, error) {
	p, ok, err := pendingOf(tx, a)
	if err != nil || !ok {
		return false, err
	}
	if p.Decision == denied {
		return false, refuse(CodeDenied, "the enrolment %s was denied by %s", p.ID, p.By)
	}
	return p.Decision == approved, nil
}

// forget drops the request when it has its certificate.
func forget(tx *bbolt.Tx, a *asked) error {
	p, ok, err := pendingOf(tx, a)
	if err != nil || !ok {
		return err
	}
	return tx.Bucket(bucketPending).Delete([]byte(p.ID))
}

// await notes the request, once, and says under which id it waits.
func (s *Service) await(_ context.Context, a *asked) (trust.EnrollAnswer, error) {
	var p Pending
	err := s.db.Update(func(tx *bbolt.Tx) error {
		var ok bool
		var err error
		if p, ok, err = pendingOf(tx, a); err != nil || ok {
			return err
		}
		if err := room(tx, a.token.ID); err != nil {
			return err
		}
		p = Pending{ID: trust.NewID(), Token: a.token.ID, Client: a.request.ClientID, Name: a.request.NetBIOSName,
			Version: a.request.ClientVersion, From: a.from.String(), Asked: s.now().UTC(), Decision: waiting,
			Key: a.keyHash[:]}
		s.log.Info("an enrolment waits for approval", "id", p.ID, "name", p.Name, "from", p.From)
		return put(tx, bucketPending, []byte(p.ID), p)
	})
	return trust.EnrollAnswer{Pending: p.ID}, err
}

// room refuses a request when too many wait already: of all, and of one token, so that whoever has it keeps out nobody
// who has another.
func room(tx *bbolt.Tx, token string) error {
	t, err := tokenOf(tx, token)
	if err != nil {
		return err
	}
	all, own := 0, 0
	err = each(tx, bucketPending, func(_ []byte, p Pending) error {
		if p.Decision == waiting {
			all++
		}
		if p.Token == token {
			own++
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case all >= maxPending:
		return refuse(CodePaused, "%d enrolments wait for approval already", all)
	case own >= t.Uses-t.Used+sparePending:
		return refuse(CodePaused, "%d enrolments with this token wait for approval or were denied already", own)
	}
	return nil
}

// tidyPending forgets requests whose token is good for nothing any more.
func tidyPending(tx *bbolt.Tx, now time.Time) error {
	var gone [][]byte
	err := each(tx, bucketPending, func(key []byte, p Pending) error {
		t, ok, err := get[storedToken](tx, bucketTokens, []byte(p.Token))
		if err == nil && (!ok || t.over(now) != nil) {
			gone = append(gone, slices.Clone(key))
		}
		return err
	})
	for _, key := range gone {
		if err == nil {
			err = tx.Bucket(bucketPending).Delete(key)
		}
	}
	return err
}

// PendingList lists the requests, the oldest first.
func (s *Service) PendingList(context.Context) (list []Pending, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return each(tx, bucketPending, func(_ []byte, p Pending) error { list = append(list, p); return nil })
	})
	slices.SortFunc(list, func(a, b Pending) int { return a.Asked.Compare(b.Asked) })
	return list, err
}

// Decide approves a request, or denies it.
func (s *Service) Decide(ctx context.Context, id string, approve bool) error {
	read := func(tx *bbolt.Tx) (Pending, error) {
		p, ok, err := get[Pending](tx, bucketPending, []byte(id))
		if err == nil && !ok {
			err = control.NotFound("no enrolment %.40q waits; `statewire enroll pending` lists them", id)
		}
		return p, err
	}
	if err := s.db.View(func(tx *bbolt.Tx) error { _, err := read(tx); return err }); err != nil {
		return err
	}
	action, decision := "client.deny", denied
	if approve {
		action, decision = "client.approve", approved
	}
	finish, err := s.note(ctx, audit.Action{Action: action, Object: "enrolment:" + id})
	if err != nil {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		p, err := read(tx)
		if err != nil {
			return err
		}
		p.Decision, p.By = decision, control.Actor(ctx)
		return put(tx, bucketPending, []byte(id), p)
	})
	finish(audit.Outcome(err))
	return err
}

// Pause stops enrolments until they are resumed; who is enrolled goes on.
func (s *Service) Pause(ctx context.Context, pause bool) error {
	action := "enroll.resume"
	if pause {
		action = "enroll.pause"
	}
	finish, err := s.note(ctx, audit.Action{Action: action, Object: "enrolment"})
	if err != nil {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error { return put(tx, bucketMeta, metaPaused, pause) })
	finish(audit.Outcome(err))
	return err
}
