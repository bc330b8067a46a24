package identity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"statewire/trust"
)

// A token for a role names no role: it drives out none that is enrolled.
func TestARoleKeepsItsName(t *testing.T) {
	s := newSite(t)
	ask := func() error {
		_, err := s.enroll(t, trust.EnrollRequest{Token: s.token(t, TokenSpec{Role: "relay"}), RoleName: "dmz"})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if err := ask(); code(err) != "409 already_enrolled" ||
		!strings.Contains(err.Error(), "client revoke role:relay:dmz") {
		t.Errorf("the name of another: %v", err)
	}
	if err := s.Revoke(t.Context(), "role:relay:dmz", "moved"); err != nil {
		t.Fatal(err)
	}
	s.clock.add(time.Second)
	if err := ask(); err != nil {
		t.Errorf("revoked: %v", err)
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
