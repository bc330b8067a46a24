package identity

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
)

// decision is what the state says to a request.
type decision struct {
	again   *issued // it was answered before, with this
	lookUp  bool    // it depends on what the client has sent
	known   *bool   // the client has rows or polls; nil when that was not asked
	approve bool    // somebody has to approve it
	caller  Caller
	action  string // what the audit log is told first; empty: nothing
	revokes bool   // the caller's certificates until now are refused from now on
}

// decide is the table of who gets a certificate. known says whether a client that never enrolled has rows or polls;
// nil when that was not asked yet.
func (s *Service) decide(tx *bbolt.Tx, a *asked, known *bool) (decision, error) {
	t, ok, err := get[storedToken](tx, bucketTokens, []byte(a.token.ID))
	if err != nil || !ok {
		return decision{}, errors.Join(err, errTokenInvalid())
	}
	if p := t.over(s.now()); p != nil {
		return decision{}, p
	}
	d := decision{known: known}
	if d.caller, err = s.callerFor(a, &t); err != nil {
		return d, err
	}
	h, enrolled, err := get[holder](tx, bucketHolders, []byte(d.caller.Key()))
	if err != nil {
		return d, err
	}
	// A token for a role names none: it lets a role of the same name in only after that one was revoked.
	bound := t.Client != uuid.Nil && t.Client == d.caller.Client || !d.caller.IsClient() && h.Revoked != nil
	if enrolled && h.Revoked != nil && !(bound && t.Created.After(h.Revoked.At)) {
		return d, refuse(CodeClientRevoked, "%s was revoked at %s; a token made after that for this client lets it enrol: "+
			"statewire enroll token create --client %[1]s", d.caller.Key(), h.Revoked.At.UTC().Format(time.RFC3339))
	}
	if d.again, err = answered(tx, a); err != nil {
		return d, err
	}
	if d.again != nil {
		return d, taken(tx, d.again.Holder)
	}
	if t.Used >= t.Uses {
		return d, refuse(CodeTokenUsed, "this enrolment token was used %d times, as often as it may", t.Used)
	}
	if enrolled && !bound {
		return d, errEnrolled(d.caller)
	}
	drawn := a.client == uuid.Nil && t.Client == uuid.Nil // nobody had this id before
	if d.caller.IsClient() && !drawn && known == nil {
		d.lookUp = true
		return d, nil
	}
	switch {
	case enrolled:
		d.action, d.revokes = "client.reenrol", true
	case known != nil && *known && (t.Adopt || bound):
		d.action = "client.adopt"
	case known != nil && *known:
		return d, refuse(CodeClientKnown, "%s has reported before it enrolled; a token made with --adopt, or with --client "+
			"%[1]s, lets it keep its id", d.caller.Key())
	}
	if t.Approval {
		decided, err := approval(tx, a)
		if err != nil {
			return d, err
		}
		d.approve = !decided
	}
	return d, nil
}

// errEnrolled says how a caller that has a certificate gets in anew.
func errEnrolled(c Caller) error {
	if !c.IsClient() {
		return refuse(CodeEnrolled, "%s is enrolled; choose another name, or revoke that one first: statewire client revoke "+
			"%[1]s --reason TEXT", c.Key())
	}
	return refuse(CodeEnrolled, "%s is enrolled; a token for this client lets it enrol again: statewire enroll "+
		"token create --client %[1]s", c.Key())
}

// over says why a token is good for nothing more, even for what it was used for.
func (t *storedToken) over(now time.Time) error {
	switch {
	case t.Revoked:
		return refuse(CodeTokenExpired, "this enrolment token was revoked")
	case t.Void:
		return refuse(CodeTokenExpired, "this enrolment token is void: the site's authority or roots changed; ask for "+
			"another one")
	case !now.Before(t.Expires):
		return refuse(CodeTokenExpired, "this enrolment token ended at %s and the site's clock says %s",
			t.Expires.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// callerFor is who would get the certificate. A client that asks for no id gets one that is its own as long as the
// request is the same.
func (s *Service) callerFor(a *asked, t *storedToken) (Caller, error) {
	c := Caller{Site: s.site.ID()}
	switch {
	case t.Role != "" && a.client != uuid.Nil:
		return c, refuse(CodeWrongClient, "this enrolment token is for a role of the site (%s), not for a client", t.Role)
	case t.Role != "" && !validRoleName(a.request.RoleName):
		return c, refuse(CodeBadRequest, "role_name is %.80q; allowed are 1 to 64 letters, digits, dots, dashes and "+
			"underscores", a.request.RoleName)
	case t.Role != "":
		c.Role, c.Name = t.Role, a.request.RoleName
	case a.request.RoleName != "":
		return c, refuse(CodeWrongClient, "this enrolment token is for clients, not for a role of the site")
	case a.client != uuid.Nil && t.Client != uuid.Nil && t.Client != a.client:
		return c, refuse(CodeWrongClient, "this enrolment token is for %s", clientKey(t.Client))
	case a.client != uuid.Nil:
		c.Client = a.client
	case t.Client != uuid.Nil:
		c.Client = t.Client
	default:
		c.Client = uuid.New()
	}
	return c, nil
}

// answered finds the certificate that the same token got for the same key: its answer was lost.
func answered(tx *bbolt.Tx, a *asked) (*issued, error) {
	number, ok, err := get[uint64](tx, bucketKeys, a.keyHash[:])
	if err != nil || !ok {
		return nil, err
	}
	c, ok, err := get[issued](tx, bucketIssued, numberKey(number))
	if err != nil || !ok || c.Token != a.token.ID {
		return nil, err
	}
	return &c, nil
}

// taken refuses to say again what was issued to somebody who was revoked since.
func taken(tx *bbolt.Tx, key string) error {
	h, _, err := get[holder](tx, bucketHolders, []byte(key))
	if err == nil && h.Revoked != nil {
		err = refuse(CodeClientRevoked, "%s was revoked at %s", key, h.Revoked.At.UTC().Format(time.RFC3339))
	}
	return err
}
