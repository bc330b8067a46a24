package identity

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"statewire/internal/durable"
	"statewire/trust"
)

// A clock that is far ahead for a while, as of a machine whose battery is empty, lifts no revocation and makes strangers
// of no clients.
func TestAttackAClockThatIsAheadForgivesNobody(t *testing.T) {
	s := newSite(t)
	good := s.enrolled(t, one)
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(two)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), clientKey(two), "stolen"); err != nil {
		t.Fatal(err)
	}
	for range 5 { // five hours, ten years ahead
		s.clock.add(10 * 365 * 24 * time.Hour)
		if err := s.tidy(); err != nil {
			t.Fatal(err)
		}
		s.clock.add(-10 * 365 * 24 * time.Hour)
	}
	c := state(t, got.Certificate)
	if err := s.verifier(t).Verify(c); code(err) != "401 certificate_revoked" {
		t.Errorf("a revoked one is %v", err)
	}
	if _, _, err := s.renewed(t, good, csr(t)); err != nil {
		t.Errorf("a good one is a stranger: %v", err)
	}
}

// What denies a certificate stays as long as the certificate does, though a later one of the same client ends earlier.
func TestAttackADenialOutlivesEachCertificate(t *testing.T) {
	s := newSite(t)
	s.clock.add(365 * 24 * time.Hour)
	ahead, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	s.clock.add(-365 * 24 * time.Hour) // the clock is put right
	if _, _, err := s.renewed(t, caller(t, ahead.Certificate), csr(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), clientKey(one), "stolen"); err != nil {
		t.Fatal(err)
	}
	for range 400 {
		s.clock.add(24 * time.Hour)
		if err := s.tidy(); err != nil {
			t.Fatal(err)
		}
	}
	c := state(t, ahead.Certificate)
	if err := s.verifier(t).Verify(c); code(err) != "401 certificate_revoked" {
		t.Errorf("a revoked one that has not ended is %v", err)
	}
}

// A client whose certificate begins later, because the site's clock was ahead, is let in to renew it.
func TestAttackAClockThatWasAheadLocksOutNobody(t *testing.T) {
	s := newSite(t)
	s.clock.add(24 * time.Hour)
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	s.clock.add(-24 * time.Hour)
	v, c := s.verifier(t), state(t, got.Certificate)
	if err := v.Verify(c); err != nil {
		t.Fatalf("the handshake says %v", err)
	}
	who, err := v.Caller(&c)
	if code(err) != "401 certificate_expired" || who.Client != one {
		t.Errorf("the request says %v of %+v", err, who)
	}
	_, answer, err := s.renewed(t, who, csr(t))
	if err != nil {
		t.Fatal(err)
	}
	next := state(t, answer.Certificate)
	if _, err := v.Caller(&next); err != nil {
		t.Errorf("the renewed one: %v", err)
	}
}

// A relay whose clock is set back hears of revocations all the same.
func TestAttackAClockThatIsSetBackHidesNoRevocation(t *testing.T) {
	s := newSite(t)
	got, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	v, c := s.verifier(t), state(t, got.Certificate)
	if err := s.Revoke(t.Context(), clientKey(one), "stolen"); err != nil {
		t.Fatal(err)
	}
	s.clock.add(-time.Minute)
	if _, err := v.Caller(&c); code(err) != "401 certificate_revoked" {
		t.Errorf("it is %v", err)
	}
}

// Two revocations within one tick of the file system's clock, the second to a file of the same size.
func TestAttackRevocationsWithinATickAreBothRead(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.dir, "identity", deniedFile)
	when := time.Now()
	write := func(number string) {
		if err := durable.Write(filepath.Dir(path), deniedFile, tempPrefix,
			[]byte(clientKey(one)+below+number+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	write("1000")
	v := s.verifier(t)
	write("2000")
	if err := v.Refresh(); err != nil {
		t.Fatal(err)
	}
	if got := v.known.Load().denied[clientKey(one)]; got != 2000 {
		t.Errorf("denied below %d", got)
	}
}

// Whoever enrols anew is told so only when its former certificates are refused, also when the disk was full at first.
func TestAttackNoNewCertificateWhileTheFormerIsGood(t *testing.T) {
	s := newSite(t)
	former, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: clientKey(one)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.dir, "identity", deniedFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // now it cannot be replaced
		t.Fatal(err)
	}
	request := trust.EnrollRequest{Token: s.token(t, TokenSpec{Client: one}), CSR: csr(t), ClientID: clientKey(one)}
	for i := range 3 {
		if got, err := s.enroll(t, request); err == nil {
			t.Fatalf("attempt %d: %+v", i, got)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.enroll(t, request); err != nil {
		t.Fatal(err)
	}
	c := state(t, former.Certificate)
	if err := s.verifier(t).Verify(c); code(err) != "401 certificate_revoked" {
		t.Errorf("the former is %v", err)
	}
	if list, _ := s.Tokens(t.Context()); list[0].Used != 1 {
		t.Errorf("the token was used %d times", list[0].Used)
	}
}

// A client that renews all day fills neither the disk with certificates nor, with a superseded one, the audit log; the
// one that it has stays good for a renewal.
func TestAttackRenewalsAllDay(t *testing.T) {
	s := newSite(t)
	c := s.enrolled(t, one)
	count := func() (n int) {
		_ = s.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket(bucketIssued).Stats().KeyN; return nil })
		return n
	}
	var kept string
	got := map[string]int{}
	for i := range 40 {
		request := csr(t)
		if i == 0 {
			kept = request
		}
		_, _, err := s.renewed(t, c, request)
		got[code(err)]++
	}
	if got["<nil>"] != renewalsAllowed || got["429 rate_limited"] != 40-renewalsAllowed || count() != 1+renewalsAllowed {
		t.Errorf("%v, %d certificates", got, count())
	}
	newest, _, err := s.renewed(t, c, kept)
	if err != nil {
		t.Fatalf("the answer that was lost: %v", err)
	}
	s.clock.add(time.Hour)
	for i := range 2 * renewalsAllowed { // each with the one before
		next, _, err := s.renewed(t, newest, csr(t))
		if (err == nil) != (i < renewalsAllowed) {
			t.Errorf("renewal %d of a chain: %v", i, err)
		}
		if err == nil {
			newest = next
		}
	}
	before := len(s.lines(t))
	for range 20 {
		if _, _, err := s.renewed(t, c, csr(t)); code(err) != "403 superseded" {
			t.Fatal(err)
		}
	}
	if grown := len(s.lines(t)) - before; grown > 2000 {
		t.Errorf("the audit log has %d bytes more", grown)
	}
}

// Of two certificates that one was renewed to, with two keys at once, whichever is used goes on: the older one, too.
func TestAttackParallelRenewalsLockOutNobody(t *testing.T) {
	for _, use := range []int{0, 7} {
		s := newSite(t)
		c := s.enrolled(t, one)
		var mu sync.Mutex
		var wg sync.WaitGroup
		var got []Caller
		for range 8 {
			request := csr(t)
			wg.Go(func() {
				next, _, err := s.renewed(t, c, request)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				got = append(got, next)
			})
		}
		wg.Wait()
		used := got[0]
		for _, next := range got {
			if use == 0 && next.Number < used.Number || use == 7 && next.Number > used.Number {
				used = next
			}
		}
		if err := s.Seen(t.Context(), []Caller{used}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s.start(t, EnrollConfig{})
		s.clock.add(40 * 24 * time.Hour)
		if _, _, err := s.renewed(t, used, csr(t)); err != nil {
			t.Errorf("with the certificate that is used, %d: %v", use, err)
		}
	}
}

// Requests that nobody approves, or that were denied, keep out no others for ever, and those of one token none of
// another.
func TestAttackPendingRequestsKeepOutNobody(t *testing.T) {
	s := newSite(t)
	mine, other := s.token(t, TokenSpec{Approval: true}), s.token(t, TokenSpec{Approval: true, Expires: 48 * time.Hour})
	got := map[string]int{}
	for range sparePending + 20 {
		_, err := s.enroll(t, trust.EnrollRequest{Token: mine})
		got[code(err)]++
	}
	if got["<nil>"] != sparePending+1 || got["503 enrolment_paused"] != 19 {
		t.Errorf("%v", got)
	}
	if answer, err := s.enroll(t, trust.EnrollRequest{Token: other}); err != nil || answer.Pending == "" {
		t.Errorf("with another token: %+v, %v", answer, err)
	}
	s.clock.add(2 * time.Hour) // the first token has ended
	if err := s.tidy(); err != nil {
		t.Fatal(err)
	}
	if list, err := s.PendingList(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%d wait, %v", len(list), err)
	}
}

// Enrolments of one client at once, each allowed by itself: whoever replaces the other does it noted.
func TestAttackParallelEnrolmentsOfOneClientAreNoted(t *testing.T) {
	s := newSite(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	issued := 0
	for range 6 {
		token := s.token(t, TokenSpec{Client: one})
		request := trust.EnrollRequest{Token: token, CSR: csr(t), ClientID: clientKey(one)}
		wg.Go(func() {
			_, err := s.enroll(t, request)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				issued++
			case code(err) != "503 client_busy":
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// A line says that it is begun; of an enrolment that was overtaken the outcome is failed.
	done := strings.Count(s.lines(t), `"outcome":"done"`) - 6 // the tokens
	if done != issued-1 {
		t.Errorf("%d certificates, and %d times it is noted that one replaced another", issued, done)
	}
}

// The same request says nothing of a client that was revoked since, under whatever id it comes.
func TestAttackARevokedClientGetsNoFormerAnswer(t *testing.T) {
	s := newSite(t)
	request := trust.EnrollRequest{Token: s.token(t, TokenSpec{Uses: 5}), CSR: csr(t), ClientID: clientKey(one)}
	if _, err := s.enroll(t, request); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(t.Context(), clientKey(one), "stolen"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{clientKey(one), "", clientKey(two), strings.ToLower(clientKey(one))} {
		request.ClientID = id
		if got, err := s.enroll(t, request); code(err) != "403 client_revoked" {
			t.Errorf("as %q: %+v, %v", id, got, err)
		}
	}
}

// Spellings of an id are one client, or none.
func TestAttackSpellingsOfAnID(t *testing.T) {
	s := newSite(t)
	s.enrolled(t, one)
	id := one.String()
	for _, text := range []string{clientKey(one), "guid:" + id, "Guid:" + strings.ToUpper(id), "GUID:{" + id + "}",
		"GUID:urn:uuid:" + id, "GUID:" + strings.ReplaceAll(id, "-", ""), id, "GUID:" + id + " ", " GUID:" + id,
		"GUID:" + id + "\x00", "GUID:GUID:" + id, "GUID:" + uuid.Nil.String(), "GUID:<![CDATA[" + id + "]]>",
		"GUID:" + id + "<!-- -->", "GUID:../" + id, "GUID:"} {
		_, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{}), ClientID: text})
		if got := code(err); got != "409 already_enrolled" && got != "400 bad_request" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Names of roles stand in files: none leads out of a folder, or is taken for another.
func TestAttackNamesOfRoles(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"", ".", "..", "...", "a/b", `a\b`, "a:b", "a b", "a\x00", "../ca", "a below 1",
		strings.Repeat("x", 65), "ä", "a\n"} {
		token := s.token(t, TokenSpec{Role: "relay"})
		if _, err := s.enroll(t, trust.EnrollRequest{Token: token, RoleName: name}); code(err) != "400 bad_request" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Guesses from one network of IPv6 are those of one caller; its own memory is bounded.
func TestAttackGuessesAcrossANetwork(t *testing.T) {
	s := newSite(t)
	got := map[string]int{}
	base := netip.MustParseAddr("2001:db8::").As16()
	for i := range 50 {
		base[15] = byte(i)
		s.from = netip.AddrFrom16(base)
		_, err := s.enroll(t, trust.EnrollRequest{Token: trust.NewToken(trust.Pin{}).String()})
		got[code(err)]++
	}
	if got["403 token_invalid"] != guessesAllowed || got["429 rate_limited"] != 50-guessesAllowed {
		t.Errorf("%v", got)
	}
	for i := range guessersKept + 1000 {
		base[4], base[5], base[6] = byte(i>>16), byte(i>>8), byte(i)
		s.guess.wrong(netip.AddrFrom16(base), s.clock.now().Add(time.Duration(i)*time.Millisecond))
	}
	if n := len(s.guess.of); n > guessersKept {
		t.Errorf("%d are remembered", n)
	}
}

// Two administrators stage an authority at once: one of them does.
func TestAttackTheAuthorityIsStagedOnce(t *testing.T) {
	s := newSite(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	staged := 0
	for range 8 {
		wg.Go(func() {
			if _, err := s.StageCA(t.Context()); err == nil {
				mu.Lock()
				staged++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got, err := s.Staged(t.Context()); staged != 1 || err != nil || got == nil {
		t.Errorf("%d times; %+v, %v", staged, got, err)
	}
}
