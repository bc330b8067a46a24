package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
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

// asked is a request that was read: everything in it has its form.
type asked struct {
	request trust.EnrollRequest
	token   trust.Token
	client  uuid.UUID // zero: the site draws one
	key     any       // the public key
	keyHash [sha256.Size]byte
	from    netip.Addr
}

// errTokenInvalid is what a token of the wrong form, one that is unknown and one with a wrong secret get alike.
func errTokenInvalid() *Refusal {
	return refuse(CodeTokenInvalid, "the site does not know this enrolment token")
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

// read checks what can be checked without the state.
func (s *Service) read(call EnrollCall) (*asked, error) {
	a := &asked{request: call.Request, from: call.From}
	var err error
	if a.token, err = trust.ParseToken(call.Request.Token); err != nil {
		if wait := s.guess.wait(a.from, s.now()); wait > 0 {
			return nil, tooManyGuesses(wait)
		}
		s.guess.wrong(a.from, s.now())
		return nil, errTokenInvalid()
	}
	if err := s.knows(a); err != nil {
		return nil, err
	}
	if a.key, a.keyHash, err = readCSR(call.Request.CSR); err != nil {
		return nil, err
	}
	if id := call.Request.ClientID; id != "" {
		text, ok := strings.CutPrefix(strings.ToLower(id), "guid:")
		if a.client, err = canonical(text); err != nil || !ok {
			return nil, refuse(CodeBadRequest, "client_id is %.80q; a client id is GUID: and a UUID", id)
		}
	}
	const serialsEnd = 1 << 62
	if a.request.LastSerial >= serialsEnd {
		return nil, refuse(CodeBadRequest, "last_serial is %d; serials end at %d", a.request.LastSerial, uint64(serialsEnd))
	}
	if len(a.request.NetBIOSName) > 256 || len(a.request.ClientVersion) > 256 || len(a.request.Hosts) > 32 {
		return nil, refuse(CodeBadRequest, "netbios_name and client_version have at most 256 bytes, hosts at most 32 names")
	}
	for _, host := range a.request.Hosts {
		if !validName(host) {
			return nil, refuse(CodeBadRequest, "%.80q cannot stand in a certificate; allowed are host names and IP addresses",
				host)
		}
	}
	return a, nil
}

func tooManyGuesses(wait time.Duration) *Refusal {
	r := refuse(CodeRate, "too many wrong enrolment tokens came from this address")
	r.After = wait
	return r
}

// knows refuses tokens that the site did not make. Paused is told to nobody else.
func (s *Service) knows(a *asked) error {
	if wait := s.guess.wait(a.from, s.now()); wait > 0 {
		return tooManyGuesses(wait)
	}
	var paused, known bool
	err := s.db.View(func(tx *bbolt.Tx) error {
		var err error
		if paused, _, err = get[bool](tx, bucketMeta, metaPaused); err != nil {
			return err
		}
		t, _, err := get[storedToken](tx, bucketTokens, []byte(a.token.ID))
		known = t.matches(a.token.Secret[:]) // an unknown one takes as long
		return err
	})
	switch {
	case err != nil:
		return err
	case !known:
		s.guess.wrong(a.from, s.now())
		return errTokenInvalid()
	case paused:
		return refuse(CodePaused, "the site takes no enrolments at this moment; nothing is lost, ask again")
	}
	return nil
}

// readCSR takes the key out of a signing request. Its subject and extensions say what the caller would like to be, and
// are ignored.
func readCSR(text string) (key any, hash [sha256.Size]byte, err error) {
	bad := func(why string) error { return refuse(CodeBadCSR, "csr: %s", why) }
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, hash, bad("it is not one PEM block of type CERTIFICATE REQUEST")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, hash, bad("it cannot be read")
	}
	if err := strongKey(csr.PublicKey); err != nil {
		return nil, hash, bad(err.Error())
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, hash, bad("its signature is not of its key")
	}
	return csr.PublicKey, sha256.Sum256(csr.RawSubjectPublicKeyInfo), nil
}

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
