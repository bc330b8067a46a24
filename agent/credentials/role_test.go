package credentials

import (
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/identity"
)

// A role of another machine gets its certificate with a token, serves with it, renews it, and reads whom the site denies.
func TestARoleOfAnotherMachine(t *testing.T) {
	s, dir := newRealSite(t), t.TempDir()+"/role"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tell := func(p Progress) { t.Logf("%+v", p) }
	role := Role{Relay: s.relay, Kind: "relay", Name: "berlin", Hosts: []string{"relay.example", "192.0.2.1"}}

	wrong := s.token(identity.TokenSpec{Role: "relay"})
	wrong.Pin.CA[0]++
	var refusal *Refusal
	if _, err := EnrollRole(ctx, dir, role, wrong, tell); !errors.As(err, &refusal) || refusal.Code != "wrong_pin" {
		t.Error(err)
	}
	wrong = s.token(identity.TokenSpec{Role: "relay"})
	wrong.Pin.Roots[0]++
	if _, err := EnrollRole(ctx, dir, role, wrong, tell); !errors.As(err, &refusal) || refusal.Code != "wrong_trust" {
		t.Error(err)
	}
	os.RemoveAll(dir)
	if _, err := EnrollRole(ctx, dir, role, s.token(identity.TokenSpec{Role: "notifier"}), tell); !errors.As(err, &refusal) ||
		!strings.Contains(refusal.Reason, "not one of relay berlin") {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, RolePairFile)); err == nil {
		t.Fatal("a certificate was kept that is not the role's")
	}
	os.RemoveAll(dir)
	// The site issued one for the name, and nothing was kept of it.
	if err := s.service.Revoke(ctx, "role:relay:berlin", "not kept"); err != nil {
		t.Fatal(err)
	}
	s.later(time.Second)
	token := s.token(identity.TokenSpec{Role: "relay"})
	got, err := EnrollRole(ctx, dir, role, token, tell)
	if err != nil {
		t.Fatal(err)
	}
	if life := got.NotAfter.Sub(s.clock()); life < 89*day || life > 91*day || got.RenewAt.Sub(s.clock()) > 61*day ||
		got.RenewAt.Sub(s.clock()) < 59*day {
		t.Errorf("%+v", got)
	}
	path := filepath.Join(dir, RolePairFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("%v %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, roleNextKey)); err == nil {
		t.Error("the key is there twice")
	}
	first, err := tls.LoadX509KeyPair(path, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range role.Hosts {
		if err := first.Leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if _, err := EnrollRole(ctx, dir, role, token, tell); err == nil {
		t.Error("a certificate was replaced")
	}
	if _, renewed, err := RenewRole(ctx, dir, false, s.clock, tell); renewed || err != nil {
		t.Errorf("one that is not due: %v %v", renewed, err)
	}
	files, err := identity.OpenFiles(path, path, identity.Options{Clock: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	s.later(61 * day)
	renewed, done, err := RenewRole(ctx, dir, false, s.clock, tell)
	if err != nil || !done || !renewed.NotAfter.After(got.NotAfter.Add(59*day)) {
		t.Fatalf("%+v %v %v", renewed, done, err)
	}
	second, err := files.Certificate(nil)
	if err != nil || second.Leaf.Equal(first.Leaf) || first.Leaf.PublicKey.(*ecdsa.PublicKey).Equal(second.Leaf.PublicKey) {
		t.Errorf("the renewed pair is not picked up: %v", err)
	}
	for _, host := range role.Hosts {
		if err := second.Leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	text, status := readDeniedList(t, s, dir)
	if status != http.StatusOK || !strings.HasPrefix(text, "role:relay:berlin below ") { // the revocation above
		t.Errorf("%d %q", status, text)
	}
	if err := s.service.Revoke(ctx, "role:relay:berlin", "stolen"); err != nil {
		t.Fatal(err)
	}
	if err := s.verifier.Refresh(); err != nil {
		t.Fatal(err)
	}
	if _, done, err := RenewRole(ctx, dir, true, s.clock, tell); done || !errors.As(err, &refusal) ||
		refusal.Code != "certificate_refused" {
		t.Errorf("a revoked role renewed: %v", err)
	}
}

// readDeniedList asks the relay for the list over the role's certificate.
func readDeniedList(t *testing.T, s *realSite, dir string) (string, int) {
	t.Helper()
	_, pair, ca, err := readRole(dir)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: poolOf(ca), Certificates: []tls.Certificate{pair},
		Time: s.clock}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(s.relay + "/mp/denied?after=0")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), resp.StatusCode
}
