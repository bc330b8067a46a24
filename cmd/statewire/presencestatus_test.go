package main

import (
	"strings"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/notifier/manager"
	"statewire/site"
)

func TestStatusSaysWhoIsOnlineAndHowOldThatIs(t *testing.T) {
	now := time.Now()
	server := manager.ServerStatus{Server: "push1", Online: 3, TCP: 2, HTTP: 1, Reported: now.Add(-4 * time.Minute)}
	with := func(change func(*manager.ServerStatus)) []manager.ServerStatus {
		s := server
		change(&s)
		return []manager.ServerStatus{s}
	}
	for _, tc := range []struct {
		name    string
		servers []manager.ServerStatus
		running bool
		ran     bool
		health  cli.Health
		says    string
	}{
		{"who is there, and by what", []manager.ServerStatus{server}, true, true, cli.HealthOK,
			"push1 holds 3 clients, 2 by TCP and 1 by HTTP, its last file 4m0s ago"},
		{"a file that is late", with(func(s *manager.ServerStatus) { s.Reported = now.Add(-11 * time.Minute) }), true, true,
			cli.HealthWarning, "its last file 11m0s ago, which is late"},
		{"a server that is silent", with(func(s *manager.ServerStatus) { s.Silent = true }), true, true, cli.HealthWarning,
			"push1 is silent for 4m0s, its clients count as offline; its log says why"},
		{"one whose process is gone", with(func(s *manager.ServerStatus) { s.Silent = true }), false, true, cli.HealthWarning,
			"see that a process runs the role notifier"},
		{"one that begins", with(func(s *manager.ServerStatus) { s.Reported = time.Time{} }), true, true, cli.HealthOK,
			"no presence file"},
		{"none that reported", nil, true, true, cli.HealthOK, "no notifier has reported yet"},
		{"none any more", nil, false, true, cli.HealthWarning, "no notifier runs, and one did: "},
		{"one that ended a moment ago", []manager.ServerStatus{server}, false, true, cli.HealthWarning,
			"push1 does not run: nobody is told at once what is new; see that a process runs the role notifier"},
		{"none at all", nil, false, false, cli.HealthOK, "no notifier runs"},
		{"two, one of them silent", append(with(func(s *manager.ServerStatus) { s.Silent = true }), server), true, true,
			cli.HealthWarning, "; push1 holds 3 clients"},
	} {
		c := channelCheck(site.Presence{Servers: tc.servers}, tc.running, tc.ran, 5*time.Minute, now)
		if c.name != "channel" || c.health != tc.health || !strings.Contains(c.detail, tc.says) {
			t.Errorf("%s: %v %s", tc.name, c.health, c.detail)
		}
	}
	for lag, want := range map[time.Duration]cli.Health{0: cli.HealthOK, time.Minute: cli.HealthOK,
		61 * time.Second: cli.HealthWarning} {
		if c := mirrorCheck(lag); c.health != want {
			t.Errorf("%v behind: %v", lag, c)
		}
	}
}
