package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/internal/control"
	"statewire/trust"
)

// again enrols a client that has enrolled, with a token for it.
func (s *site) again(t testing.TB, id uuid.UUID, last uint64) trust.EnrollAnswer {
	t.Helper()
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{Client: id}), ClientID: clientKey(id),
		LastSerial: last})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (s *site) denied(t testing.TB) Denied {
	t.Helper()
	denied, err := readDenied(filepath.Join(s.dir, "identity", deniedFile))
	if err != nil {
		t.Fatal(err)
	}
	return denied
}

// Whoever was revoked enrols with a token that was made later, and not by asking again as before.
func TestARevokedClientStaysOut(t *testing.T) {
	s := newSite(t)
	first := trust.EnrollRequest{Token: s.token(t, TokenSpec{}), CSR: csr(t), ClientID: clientKey(one)}
	if _, err := s.enroll(t, first); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), clientKey(one), "stolen"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.enroll(t, first); code(err) != "403 client_revoked" {
		t.Errorf("the same request: %v", err)
	}
	at := trust.EnrollRequest{Token: s.token(t, TokenSpec{Client: one}), ClientID: clientKey(one)}
	if _, err := s.enroll(t, at); code(err) != "403 client_revoked" {
		t.Errorf("a token of the same moment: %v", err)
	}
}

func TestAnotherEnrolmentEndsTheFormer(t *testing.T) {
	s := newSite(t)
	s.sent.next[one] = 500
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{Adopt: true}), ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	first := caller(t, got.Certificate)
	second, _, err := s.renewed(t, first, csr(t))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := s.Client(t.Context(), clientKey(one)); err != nil || c.Used != first.Number {
		t.Errorf("what asked for its renewal is in use: %+v, %v", c, err)
	}
	if err := s.Seen(t.Context(), []Caller{second}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.renewed(t, first, csr(t)); code(err) != "403 superseded" {
		t.Fatal(err)
	}
	delete(s.sent.next, one)
	answer := s.again(t, one, 3)
	if answer.NextSerial != 500 {
		t.Errorf("it goes on at %d, as if nothing was answered before", answer.NextSerial)
	}
	if c, err := s.Client(t.Context(), clientKey(one)); err != nil || c.State != "enrolled" || !c.Shared.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}
	for _, former := range []Caller{first, second} {
		if _, _, err := s.renewed(t, former, csr(t)); code(err) != "401 certificate_revoked" {
			t.Errorf("a renewal of what was replaced: %v", err)
		}
	}
	grace := DefaultConfig().RenewGrace
	for _, step := range []struct {
		at    time.Time
		lines int
	}{{second.NotAfter.Add(grace), 1}, {answer.NotAfter.Add(grace + time.Second), 0}} {
		s.forget(t, step.at)
		if d := s.denied(t); len(d) != step.lines {
			t.Errorf("at %v denied are %v", step.at, d)
		}
	}
}

// forget goes to a time, and forgets what is over by then, a day's worth at a time.
func (s *site) forget(t testing.TB, at time.Time) {
	t.Helper()
	s.clock.add(at.Sub(s.clock.now()))
	for done := false; !done; {
		if err := s.tidy(); err != nil {
			t.Fatal(err)
		}
		if err := s.db.View(func(tx *bbolt.Tx) error {
			tidied, _, err := get[time.Time](tx, bucketMeta, metaTidied)
			done = !tidied.Before(at)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// A request that comes to nothing takes no place of the hour.
func TestOnlyCertificatesCountInTheHour(t *testing.T) {
	s := newSite(t)
	s.hour.most = 5
	token := s.token(t, TokenSpec{})
	first := trust.EnrollRequest{Token: token, CSR: csr(t)}
	late, err := s.read(EnrollCall{Request: trust.EnrollRequest{Token: token, CSR: csr(t)}, From: s.from})
	if err != nil {
		t.Fatal(err)
	}
	same, err := s.read(EnrollCall{Request: first, From: s.from})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.enroll(t, first); err != nil {
		t.Fatal(err)
	}
	if _, err := s.issueTo(late, 1, decision{}); code(err) != "403 token_used" {
		t.Error(err)
	}
	if _, err := s.issueTo(same, 1, decision{}); err != nil {
		t.Error(err)
	}
	if s.hour.count != 1 {
		t.Errorf("one certificate counts %d", s.hour.count)
	}
}

// Two clients with the same key are two clients, however long both live.
func TestAKeyThatTwoHave(t *testing.T) {
	s := newSite(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request := csrOf(t, key)
	mine := s.enrolled(t, one)
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), CSR: request, ClientID: clientKey(two)})
	if err != nil {
		t.Fatal(err)
	}
	other := caller(t, got.Certificate)
	s.clock.add(40 * 24 * time.Hour)
	next, _, err := s.renewed(t, mine, request)
	if err != nil || next.Client != one || next.Number <= other.Number {
		t.Fatalf("%+v, %v", next, err)
	}
	s.forget(t, other.NotAfter.Add(DefaultConfig().RenewGrace+time.Second))
	_, hash, err := readCSR(request)
	if err != nil {
		t.Fatal(err)
	}
	var number uint64
	if err := s.db.View(func(tx *bbolt.Tx) (err error) {
		number, _, err = get[uint64](tx, bucketKeys, hash[:])
		return err
	}); err != nil || number != next.Number {
		t.Errorf("the key leads to %d, want %d; %v", number, next.Number, err)
	}
}

func TestWhoSpeaksForAnotherIsNoted(t *testing.T) {
	s := newSite(t)
	who := s.enrolled(t, one)
	if err := s.Strangers(t.Context(), []Stranger{{who, clientKey(two), "192.0.2.9"}}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`"actor":"%s","role":"","from":"192.0.2.9","action":"client.identity_mismatch","object":"%s"`,
		clientKey(one), clientKey(two))
	if log := s.lines(t); !strings.Contains(log, want) || !strings.Contains(log, `"outcome":"refused"`) {
		t.Errorf("%s is not in %s", want, log)
	}
}

func TestADeletedClientIsDeniedWithoutItsName(t *testing.T) {
	s := newSite(t)
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(one),
		NetBIOSName: "PC1", ClientVersion: "1.4"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Deny(t.Context(), one), s.Deny(t.Context(), two)); err != nil {
		t.Fatal(err)
	}
	c, err := s.Client(t.Context(), clientKey(one))
	if err != nil || c.Name != "" || c.Version != "" || c.State != "revoked" {
		t.Errorf("%+v, %v", c, err)
	}
	if d := s.denied(t); !d.Holds(caller(t, got.Certificate)) || len(d) != 1 {
		t.Errorf("denied are %v", d)
	}
}

func TestASummaryCountsClients(t *testing.T) {
	s := newSite(t)
	s.enrolled(t, one)
	if _, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{Role: "fsp"}), RoleName: "x"}); err != nil {
		t.Fatal(err)
	}
	wait, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{Approval: true})})
	if err != nil {
		t.Fatal(err)
	}
	sum, err := s.Summary(t.Context())
	if err != nil || sum.States["enrolled"] != 1 || len(sum.States) != 1 || sum.Pending != 1 || sum.Tokens != 1 ||
		!sum.ServerEnds.Equal(leaf(t, s.site).NotAfter) {
		t.Errorf("%+v, %v", sum, err)
	}
	if err := s.Decide(t.Context(), wait.Pending, false); err != nil {
		t.Fatal(err)
	}
	s.clock.add(60*24*time.Hour + time.Second)
	if sum, err = s.Summary(t.Context()); err != nil || sum.States["expired"] != 1 || sum.Pending != 0 || sum.Tokens != 0 {
		t.Errorf("later: %+v, %v", sum, err)
	}
}

func p256(t testing.TB) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

// What the service refuses, it refuses through the socket; when nobody is there, callers are told to come again.
func TestTheServiceBehindItsSocket(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(t.TempDir(), "identity.sock")
	ln, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Handle(mux)
	server := &http.Server{Handler: mux, ConnContext: control.ConnContext,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	r, ctx := Dial(path), t.Context()
	made, err := r.CreateToken(ctx, TokenSpec{Uses: 1, Expires: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	request := trust.EnrollRequest{Token: made.Text, CSR: csr(t), ClientID: clientKey(one)}
	got, err := r.Enroll(ctx, EnrollCall{Request: request, From: s.from})
	if err != nil || caller(t, got.Certificate).Client != one {
		t.Fatalf("%+v, %v", got, err)
	}
	request.CSR = csr(t)
	var refused *Refusal
	if _, err := r.Enroll(ctx, EnrollCall{Request: request, From: s.from}); code(err) != "403 token_used" {
		t.Error(err)
	}
	if _, err := r.Client(ctx, clientKey(two)); !errors.Is(err, control.ErrNotFound) {
		t.Error(err)
	}
	if sum, err := r.Summary(ctx); err != nil || sum.States["enrolled"] != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	server.Close()
	<-served
	if _, err := r.Enroll(ctx, EnrollCall{Request: request, From: s.from}); code(err) != "503 identity_unavailable" ||
		!errors.As(err, &refused) || !refused.Retry {
		t.Error(err)
	}
	if err := r.Deny(ctx, one); code(err) != "503 identity_unavailable" {
		t.Error(err)
	}
}

func TestAKeyIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for mode, want := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false} {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		if err := private(path); (err == nil) != want {
			t.Errorf("mode %04o: %v", mode, err)
		}
		os.Remove(path)
	}
}
