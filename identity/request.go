package identity

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/trust"
)

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
