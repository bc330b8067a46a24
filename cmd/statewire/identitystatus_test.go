package main

import (
	"strings"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/configs"
	"statewire/identity"
)

func TestStatusSaysWhoHasACertificate(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	in := func(days int) time.Time { return now.Add(time.Duration(days) * 24 * time.Hour) }
	states := func(enrolled, shared int) identity.Summary {
		return identity.Summary{States: map[string]int{"enrolled": enrolled, "revoked": 2, "shared": shared}, Tokens: 1}
	}
	for _, tc := range []struct {
		name   string
		got    check
		health cli.Health
		says   string
	}{
		{"nobody", clientsCheck(identity.Summary{}), cli.HealthOK, "certificate: 0 enrolled"},
		{"some", clientsCheck(states(3, 0)), cli.HealthOK, "3 enrolled, 2 revoked"},
		{"a shared one", clientsCheck(states(3, 1)), cli.HealthWarning, "1 shared; two machines"},
		{"enrolment goes on", enrolmentCheck(states(3, 1)), cli.HealthOK, "1 enrolment token can be used"},
		{"paused", enrolmentCheck(identity.Summary{Paused: true}), cli.HealthWarning, "enroll resume"},
		{"one waits", enrolmentCheck(identity.Summary{Pending: 1}), cli.HealthWarning, "1 enrolment waits"},
		{"some wait", enrolmentCheck(identity.Summary{Pending: 2}), cli.HealthWarning, "2 enrolments wait"},
		{"a new certificate", certificateCheck(in(90), now, true), cli.HealthOK, "2027-02-26"},
		{"before its renewal", certificateCheck(in(30), now, true), cli.HealthOK, "until"},
		{"not renewed", certificateCheck(in(20), now, true), cli.HealthWarning, "log says why"},
		{"nobody renews it", certificateCheck(in(20), now, false), cli.HealthWarning, "relay.tls_cert"},
		{"ended", certificateCheck(now, now, true), cli.HealthCritical, "no client believes it"},
	} {
		if tc.got.health != tc.health || !strings.Contains(tc.got.detail, tc.says) {
			t.Errorf("%s: %v %s", tc.name, tc.got.health, tc.got.detail)
		}
	}
	g := &globals{Globals: cli.Globals{Data: t.TempDir()}}
	if got := g.identityChecks(t.Context(), configs.Default(), now); got != nil {
		t.Errorf("where no site runs: %v", got)
	}
}
