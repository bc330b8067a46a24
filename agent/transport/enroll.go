package transport

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"statewire/internal/parse"
	"statewire/trust"
)

const (
	enrollPath     = "/mp/enroll"
	renewPath      = "/mp/renew"
	maxIssuedBytes = 256 << 10
)

// Issue is what became of one request for a certificate: of an enrolment or of a renewal.
type Issue struct {
	Outcome Outcome            // Accepted: a certificate came; Idle: a person has to approve it; Refused; Again
	Answer  trust.EnrollAnswer // when Accepted or Idle; nothing of it is checked
	After   time.Duration      // the relay asked to be left alone for so long; 0 = it did not ask
	Status  int                // HTTP's; 0 = no answer
	Code    string             // of the refusal
	Detail  string
	Err     error // why there was no answer
}

// Enroll asks the relay at address once for a first certificate. The relay has to prove in the handshake that its
// certificate comes from the authority of the pin; to another one nothing of the request is sent.
func Enroll(ctx context.Context, address string, pin trust.Pin, request trust.EnrollRequest,
	now func() time.Time) Issue {
	u, err := parse.URL(address, "https")
	if err != nil {
		return Issue{Outcome: Refused, Code: "bad_relay", Err: fmt.Errorf("the relay: %w", err)}
	}
	return issue(ctx, PinAuthority(pin.CA, u.Hostname(), now), u.JoinPath(enrollPath).String(), request)
}

// Renew asks once for the next certificate, over the one that is to be renewed.
func (s *Sender) Renew(ctx context.Context, request trust.RenewRequest) Issue {
	return issue(ctx, s.trust, s.renew, request)
}

// issue asks over a connection of its own: one that is kept alive may have been opened with an earlier certificate.
func issue(ctx context.Context, trusted *tls.Config, address string, request any) Issue {
	client := &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: trusted, TLSHandshakeTimeout: 10 * time.Second,
			DisableKeepAlives: true, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	body, err := json.Marshal(request)
	if err != nil {
		return Issue{Outcome: Refused, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return Issue{Outcome: Refused, Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "statewire-agent")
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, ErrWrongPin):
		return Issue{Outcome: Refused, Code: "wrong_pin", Err: err}
	case err != nil:
		return Issue{Outcome: Again, Err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxIssuedBytes))
	return judgeIssue(resp, text, err)
}

// judgeIssue reads the relay's answer. An answer without the relay's words is somebody else's and decides nothing.
func judgeIssue(resp *http.Response, text []byte, readErr error) Issue {
	got := Issue{Outcome: Again, Status: resp.StatusCode, After: RetryAfter(resp.Header), Err: readErr}
	var said struct {
		trust.EnrollAnswer
		Code, Detail string
		Retry        bool
	}
	if readErr != nil {
		return got
	}
	if err := json.Unmarshal(text, &said); err != nil {
		got.Err = ErrNotRelay
		return got
	}
	got.Code, got.Detail = said.Code, said.Detail
	switch status := resp.StatusCode; {
	case status == http.StatusOK && said.Certificate != "":
		got.Outcome, got.Answer = Accepted, said.EnrollAnswer
	case status == http.StatusAccepted && trust.ValidID(said.Pending):
		got.Outcome, got.Answer.Pending = Idle, said.Pending
	case status/100 != 4 && status/100 != 5 || said.Code == "":
		got.Err = ErrNotRelay
	case said.Retry, status/100 == 5, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout,
		status == http.StatusTooEarly:
	default:
		got.Outcome = Refused
	}
	return got
}

// ErrWrongPin is what a connection ends with to a relay of another site than the token's.
var ErrWrongPin = errors.New("the relay's certificate does not come from the authority that the token names: it is " +
	"another site's relay, something stands between, or the authority was replaced since the token was made; nothing was " +
	"sent")

// PinAuthority is the TLS settings towards a relay of which nothing is known but the key of its authority: the relay's
// own certificate has to be signed with that key and has to be valid for host.
func PinAuthority(pin [sha256.Size]byte, host string, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// What is skipped here is done below, with an authority that is known only once the relay has sent it.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			roots := x509.NewCertPool()
			found := false
			for _, cert := range state.PeerCertificates {
				if sha256.Sum256(cert.RawSubjectPublicKeyInfo) == pin {
					roots.AddCert(cert)
					found = true
				}
			}
			if !found {
				return ErrWrongPin
			}
			if _, err := VerifyServer(state, roots, host, now()); err != nil {
				if errors.As(err, new(x509.HostnameError)) || errors.As(err, new(x509.CertificateInvalidError)) {
					return fmt.Errorf("the relay's certificate: %w", err)
				}
				return fmt.Errorf("%w: %w", ErrWrongPin, err)
			}
			return nil
		},
	}
}

// VerifyServer checks the certificate of a server that is called host, and returns its chains to the roots; nil roots
// are the system's. The name is handed in because the state of a connection to an address knows none.
func VerifyServer(state tls.ConnectionState, roots *x509.CertPool, host string, now time.Time) ([][]*x509.Certificate,
	error) {
	if len(state.PeerCertificates) == 0 {
		return nil, errors.New("the relay showed no certificate")
	}
	between := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	return state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: host,
		CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

// CertificateRefused tells whether a connection ended because the relay did not take this client's certificate.
func CertificateRefused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && op.Err != nil &&
		strings.Contains(op.Err.Error(), "certificate")
}

// Cause is an error without the request that it ends: the address with its claims says nothing to a person.
func Cause(err error) string {
	if request := new(url.Error); errors.As(err, &request) {
		err = request.Err
	}
	return err.Error()
}

// Reason is why no certificate came, in the words of whoever said so.
func (i *Issue) Reason() string {
	switch {
	case i.Err != nil && i.Status == 0:
		return Cause(i.Err)
	case i.Err != nil:
		return fmt.Sprintf("%v with %d", i.Err, i.Status)
	}
	return fmt.Sprintf("the relay answered %d %s %.300s", i.Status, i.Code, cmp.Or(i.Detail, "without a reason"))
}
