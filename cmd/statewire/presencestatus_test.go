package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/notifier/manager"
	"statewire/site"
)

// Presence files that were set aside, and what else lies in their folder, are a warning until somebody looks after
// them.
func TestStatusSaysWhatNobodyLoads(t *testing.T) {
	g := &globals{Globals: cli.Globals{Data: t.TempDir()}}
	box := site.PresenceBox(g.Data)
	put := func(name string) {
		t.Helper()
		path := filepath.Join(box, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if c := g.presenceBoxChecks(); len(c) > 0 {
		t.Errorf("no folder: %v", c)
	}
	for _, name := range []string{"BgbAAAAAAAA.BOS", "BgbAAAAAAAB.BTS", "BgbAAAAAAAC.bts", ".bos-1", "bad/.new-1",
		"bad/BgbBBBBBBBB.BOS.reason.json"} {
		put(name)
	}
	if c := g.presenceBoxChecks(); len(c) > 0 {
		t.Errorf("files as they should be: %v", c)
	}
	for _, name := range []string{"bad/BgbBBBBBBBB.BOS", "bad/server-1/BgbCCCCCCCC.BOS", "notes.txt",
		"kept/BgbDDDDDDDD.BOS"} {
		put(name)
	}
	c := g.presenceBoxChecks()
	if len(c) != 1 || c[0].health != cli.HealthWarning || c[0].name != "presence_files" ||
		!strings.HasPrefix(c[0].detail, "2 files set aside in "+filepath.Join(box, "bad")+", ") ||
		!strings.HasSuffix(c[0].detail, `; 2 foreign files in `+box+
			`: no files of a notifier, and left alone; move them away: `+
			`"kept", "notes.txt"`) {
		t.Errorf("%+v", c)
	}
}

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

// Whoever stopped all tasks is named, and so is what waits for a second person. Neither is a fault of the site.
func TestStatusSaysWhatWaitsForAPerson(t *testing.T) {
	at := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	waits := []manager.TaskStatus{{ID: 13, State: manager.TaskWaits}, {ID: 12, State: manager.TaskActive},
		{ID: 11, State: manager.TaskWaits}}
	for want, p := range map[string]site.Presence{
		"OK no task is open": {},
		"OK 1 open task":     {Tasks: waits[1:2]},
		"WARNING 3 open tasks; a second person has to agree to 13, 11: `statewire tasks approve 13`": {Tasks: waits},
		"WARNING stopped by local:0 at 2026-08-01T12:00:00Z (fire): nothing is sent before `statewire notify resume`; " +
			"no task is open": {Stop: manager.StopStatus{Stopped: true, Actor: "local:0", Reason: "fire", At: at}},
	} {
		c := tasksCheck(p)
		if got := strings.ToUpper(c.health.String()) + " " + c.detail; got != want || c.name != "tasks" {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
