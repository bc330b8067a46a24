package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
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

func TestATokenIsGoodBeforeItsEnd(t *testing.T) {
	s := newSite(t)
	token := s.token(t, TokenSpec{Uses: 2})
	s.clock.add(time.Hour - time.Second)
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); err != nil {
		t.Error(err)
	}
	s.clock.add(time.Second)
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); code(err) != "403 token_expired" {
		t.Error(err)
	}
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

func TestARoleEnrolsAnew(t *testing.T) {
	s := newSite(t)
	var got [2]Caller
	for i := range got {
		if i > 0 {
			if err := s.Revoke(t.Context(), got[0].Key(), "moved"); err != nil {
				t.Fatal(err)
			}
			s.clock.add(time.Second)
		}
		answer, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{Role: "relay"}), RoleName: "dmz"})
		if err != nil {
			t.Fatal(err)
		}
		got[i] = caller(t, answer.Certificate)
	}
	if d := s.denied(t); !d.Holds(got[0]) || d.Holds(got[1]) {
		t.Errorf("denied are %v", d)
	}
	hosts := make([]string, 33)
	for i := range hosts {
		hosts[i] = fmt.Sprint("h", i)
	}
	for n, want := range map[int]string{32: "<nil>", 33: "400 bad_request"} {
		_, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{Role: "relay"}), RoleName: "many",
			Hosts: hosts[:n]})
		if code(err) != want {
			t.Errorf("%d hosts: %v", n, err)
		}
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

func TestAPauseIsToldToThoseWithATokenAlone(t *testing.T) {
	s := newSite(t)
	unknown, err := trust.ParseToken(s.token(t, TokenSpec{}))
	if err != nil {
		t.Fatal(err)
	}
	unknown.ID = trust.NewID()
	if err := s.Pause(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.enroll(t, trust.EnrollRequest{Token: unknown.String()}); code(err) != "403 token_invalid" {
		t.Error(err)
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

// A first token is made once in a site's life, whatever became of it.
func TestTheFirstToken(t *testing.T) {
	s := newSite(t)
	first := func() string {
		t.Helper()
		text, err := s.FirstToken(t.Context(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if first() == "" || first() != "" {
		t.Error("not one token")
	}
	ended := s.clock.now().Add(time.Hour)
	s.forget(t, ended.Add(90*24*time.Hour))
	if list, err := s.Tokens(t.Context()); err != nil || len(list) != 1 || list[0].State != "expired" {
		t.Errorf("%+v, %v", list, err)
	}
	s.forget(t, s.clock.now().Add(time.Second))
	if list, err := s.Tokens(t.Context()); err != nil || len(list) != 0 || first() != "" {
		t.Errorf("%+v, %v, or another first token", list, err)
	}

	s = newSite(t)
	s.enrolled(t, one)
	s.forget(t, s.clock.now().Add(91*24*time.Hour))
	if first() != "" {
		t.Error("a site that has clients makes a first token")
	}
}

func TestRequestsThatWaitAreBounded(t *testing.T) {
	s := newSite(t)
	token := s.token(t, TokenSpec{Uses: 3, Approval: true})
	fill := func(n int) {
		t.Helper()
		err := s.db.Update(func(tx *bbolt.Tx) error {
			for i := range n {
				id := fmt.Sprintf("%08d", i)
				if err := put(tx, bucketPending, []byte(id), Pending{ID: id, Decision: waiting}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fill(maxPending - 1)
	if got, err := s.enroll(t, trust.EnrollRequest{Token: token}); err != nil || got.Pending == "" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); code(err) != "503 enrolment_paused" {
		t.Error(err)
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

// A list that was replaced by one of the same size is another list.
func TestAChangedListIsRead(t *testing.T) {
	s := newSite(t)
	texts := map[uuid.UUID]string{}
	for _, id := range []uuid.UUID{one, two} {
		got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(id)})
		if err != nil {
			t.Fatal(err)
		}
		texts[id] = got.Certificate
	}
	v, path := s.verifier(t), filepath.Join(s.dir, "identity", deniedFile)
	for i, id := range []uuid.UUID{one, two} {
		line := Denied{clientKey(id): caller(t, texts[id]).Number + 1}.text()
		at := s.clock.now().Add(time.Duration(i) * time.Second)
		if err := errors.Join(os.WriteFile(path, line, 0o644), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		if err := v.Refresh(); err != nil {
			t.Fatal(err)
		}
		for other, text := range texts {
			if err := v.Verify(state(t, text)); (code(err) == "401 certificate_revoked") != (other == id) {
				t.Errorf("%s, while %s is denied: %v", other, id, err)
			}
		}
	}
}

func TestLinesOfDeniedCertificates(t *testing.T) {
	for text, want := range map[string]uint64{
		"GUID:A below 9\nGUID:A below 7\n": 9, "GUID:A below 7\nGUID:A below 9\n": 9, "": 0, "GUID:A below 12": 0,
		" below 9\n": 0, "GUID:A below x\n": 0, "GUID:A\n": 0,
	} {
		d, err := parseDenied([]byte(text))
		if d["GUID:A"] != want || (err == nil) != (want > 0 || text == "") {
			t.Errorf("%q is %v, %v", text, d, err)
		}
	}
}

func TestNamesOfRoles(t *testing.T) {
	for name, want := range map[string]bool{"dmz-1": true, "a.b": true, "..": false, ".": false, "": false, "a/b": false,
		strings.Repeat("x", 64): true, strings.Repeat("x", 65): false} {
		if validRoleName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	s := newSite(t)
	c := s.enrolled(t, one)
	c.Role, c.Name, c.Client = "ingest", "x", uuid.Nil
	made, _, err := s.site.authority().issue(c, p256(t), nil, s.clock.now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := callerOf(certificate(t, string(made))); err == nil {
		t.Errorf("a role that there is not: %+v", who)
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

func TestGuessersAreBoundedByTheirNetwork(t *testing.T) {
	g, now := newGuesses(), time.Unix(1_800_000_000, 0)
	for i := range 5 {
		g.wrong(netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i+1)), now)
	}
	for text, waits := range map[string]bool{"2001:db8::9": true, "2001:db8::1%eth0": true, "2001:db8:0:1::1": false} {
		if wait := g.wait(netip.MustParseAddr(text), now); (wait > 0) != waits {
			t.Errorf("%s waits %v", text, wait)
		}
	}
	for i := range guessersKept + 9 {
		g.wrong(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if n := len(g.of); n != guessersKept {
		t.Errorf("%d addresses are kept, want %d", n, guessersKept)
	}
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

func TestNoCertificateOutlivesItsAuthority(t *testing.T) {
	s := newSite(t)
	token := s.token(t, TokenSpec{Expires: 300 * 24 * time.Hour})
	ends := s.site.authority().cert.NotAfter
	s.clock.add(ends.Add(-10 * 24 * time.Hour).Sub(s.clock.now()))
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); code(err) != "403 token_expired" {
		t.Fatal(err)
	}
	c := s.enrolled(t, one)
	if !c.NotAfter.Equal(ends) {
		t.Errorf("it ends at %v, its authority at %v", c.NotAfter, ends)
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
