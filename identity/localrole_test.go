package identity

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"statewire/internal/control"
	"statewire/trust"
)

// asUser is the identity role as the user of a role reaches it.
type asUser struct {
	*site
	peer control.Peer
}

func (a asUser) IssueRole(ctx context.Context, in trust.RenewRequest) (trust.RenewAnswer, error) {
	return a.Service.IssueRole(control.WithPeer(ctx, a.peer), in)
}

func TestALocalRolesCertificateFollowsTheAuthority(t *testing.T) {
	s := newSite(t)
	dir := filepath.Join(s.dir, "identity")
	if err := os.Mkdir(filepath.Join(dir, "relay"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"", "client", "ingest"} {
		if _, err := (asUser{s, control.Peer{UID: 1, Role: role}}).IssueRole(t.Context(), trust.RenewRequest{CSR: csr(t)}); code(err) !=
			"401 unknown_identity" {
			t.Errorf("user of role %q: %v", role, err)
		}
	}
	user, path := asUser{s, control.Peer{UID: 1, Role: "relay"}}, RoleFile(dir, "relay")
	hosts := []string{"relay.example"}
	refresh := func() Caller {
		t.Helper()
		if err := RefreshRole(t.Context(), dir, "relay", hosts, user, s.clock.now()); err != nil {
			t.Fatal(err)
		}
		pair, err := loadPair(path)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o400 {
			t.Errorf("%v %v", info, err)
		}
		if err := errors.Join(pair.Leaf.VerifyHostname("localhost"), pair.Leaf.VerifyHostname("relay.example")); err != nil {
			t.Error(err)
		}
		who, err := callerOf(pair.Leaf)
		if err != nil || who.Key() != "role:relay:local" {
			t.Errorf("%+v %v", who, err)
		}
		return who
	}
	first := refresh()
	if first.NotAfter.Sub(s.clock.now()) != roleLife {
		t.Error(first.NotAfter)
	}
	hosts = append(hosts, "mp.example")
	if named := refresh(); named.Number <= first.Number {
		t.Error("it lacks a name")
	}
	first = refresh()
	s.clock.add(roleLife*2/3 - time.Hour)
	if again := refresh(); again.Number != first.Number {
		t.Error("it was renewed before two thirds of its life were over")
	}
	s.clock.add(time.Hour)
	second := refresh()
	if second.Number <= first.Number {
		t.Error("it was not renewed")
	}
	if _, err := s.StageCA(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := refresh(); again.Number != second.Number {
		t.Error("it was renewed when an authority was staged")
	}
	former, err := os.ReadFile(CAFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SwitchCA(t.Context()); err != nil {
		t.Fatal(err)
	}
	third := refresh()
	if third.Number <= second.Number {
		t.Error("it stayed with the former authority")
	}
	// A process that died in the switch left the former authority first; the next one puts that right.
	if err := os.WriteFile(CAFile(dir), former, 0o644); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.start(t, EnrollConfig{})
	if again := refresh(); again.Number != third.Number {
		t.Error("the authority in force is not the first of the file")
	}
	if err := s.Revoke(t.Context(), "role:relay:local", "taken over"); err != nil {
		t.Fatal(err)
	}
	if _, err := user.IssueRole(t.Context(), trust.RenewRequest{CSR: csr(t)}); code(err) != "401 certificate_revoked" {
		t.Error(err)
	}
}
