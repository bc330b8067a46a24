package identity

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"statewire/internal/control"
	"statewire/trust"
)

func TestEnrolmentsCanBePausedAndAreLimited(t *testing.T) {
	s := newSite(t)
	token := s.token(t, TokenSpec{Uses: 100, Expires: 20 * time.Hour})
	if err := s.Pause(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	var refused *Refusal
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); code(err) != "503 enrolment_paused" ||
		!errors.As(err, &refused) || !refused.Retry || refused.After < time.Second {
		t.Errorf("paused: %v", err)
	}
	if _, err := s.enroll(t, trust.EnrollRequest{Token: "swe1"}); code(err) != "403 token_invalid" {
		t.Errorf("whoever has no token is told nothing: %v", err)
	}
	s.Close()
	s.start(t, EnrollConfig{PerHour: 2}) // it stays paused
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); code(err) != "503 enrolment_paused" {
		t.Errorf("after a restart: %v", err)
	}
	if err := s.Pause(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	got := []string{}
	again := csr(t)
	for i := range 4 {
		request := trust.EnrollRequest{Token: token}
		if i < 2 {
			request.CSR = again // a lost answer is no further client
		}
		_, err := s.enroll(t, request)
		got = append(got, code(err))
	}
	if strings.Join(got, ",") != "<nil>,<nil>,<nil>,429 rate_limited" {
		t.Error(got)
	}
	s.clock.add(time.Hour)
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token}); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	s.sent.err = errors.New("too many files wait")
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token, ClientID: clientKey(one)}); code(err) !=
		"503 client_busy" {
		t.Errorf("what it sent cannot be read: %v", err)
	}
	s.sent.err, s.hour = nil, &hourly{}
	if _, err := s.enroll(t, trust.EnrollRequest{Token: token, ClientID: clientKey(one)}); err != nil {
		t.Error(err)
	}
}

func TestSomebodyApproves(t *testing.T) {
	s := newSite(t)
	token := s.token(t, TokenSpec{Uses: 2, Approval: true})
	yes, no := trust.EnrollRequest{Token: token, CSR: csr(t), NetBIOSName: "PC1"}, trust.EnrollRequest{Token: token,
		CSR: csr(t), NetBIOSName: "PC2"}
	first, err := s.enroll(t, yes)
	if err != nil || first.Pending == "" || first.Certificate != "" {
		t.Fatalf("%+v, %v", first, err)
	}
	s.clock.add(time.Second)
	second, err := s.enroll(t, no)
	if err != nil || second.Pending == first.Pending {
		t.Fatalf("%+v, %v", second, err)
	}
	if again, err := s.enroll(t, yes); err != nil || again.Pending != first.Pending {
		t.Errorf("asked again: %+v, %v", again, err)
	}
	list, err := s.PendingList(t.Context())
	if err != nil || len(list) != 2 || list[0].Name != "PC1" || list[1].Name != "PC2" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := errors.Join(s.Decide(t.Context(), first.Pending, true), s.Decide(t.Context(), second.Pending,
		false)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.enroll(t, yes); err != nil || got.Certificate == "" {
		t.Errorf("approved: %+v, %v", got, err)
	}
	if _, err := s.enroll(t, no); code(err) != "403 enrolment_denied" {
		t.Errorf("denied: %v", err)
	}
	if list, err = s.PendingList(t.Context()); len(list) != 1 || err != nil {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.Decide(t.Context(), "ABCDEFGH", true); !errors.Is(err, control.ErrNotFound) {
		t.Error(err)
	}
	if log := s.lines(t); !strings.Contains(log, "client.approve") || !strings.Contains(log, "client.deny") {
		t.Error(log)
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
