package client

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"statewire/agent"
	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
)

func TestAgentHealth(t *testing.T) {
	now := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	well := local.StatusReport{Connected: true, Started: now.Add(-48 * time.Hour), LastContact: now.Add(-time.Minute),
		SendInterval: 900, InUse: "configured"}
	for _, tt := range []struct {
		name   string
		change func(*local.StatusReport)
		want   cli.Health
		why    string
	}{
		{"all is well", func(*local.StatusReport) {}, cli.HealthOK, ""},
		{"just started", func(s *local.StatusReport) { *s = local.StatusReport{Started: now, SendInterval: 900} },
			cli.HealthOK, ""},
		{"states wait for the next send", func(s *local.StatusReport) { s.Unsent, s.OldestUnsent = 3, 1700 }, cli.HealthOK,
			""},
		{"states wait for longer than two intervals", func(s *local.StatusReport) { s.Unsent, s.OldestUnsent = 3, 1900 },
			cli.HealthWarning, "31m40s"},
		{"the policy holds them back", func(s *local.StatusReport) {
			s.Unsent, s.OldestUnsent, s.Paused = 3, 1900,
				[]uint32{500}
		}, cli.HealthOK, ""},
		{"states wait for a day", func(s *local.StatusReport) {
			s.Unsent, s.OldestUnsent, s.Paused = 3, 90000,
				[]uint32{500}
		}, cli.HealthCritical, "25h0m0s"},
		{"a second's interval is no reason to worry", func(s *local.StatusReport) { s.OldestUnsent, s.SendInterval = 30, 1 },
			cli.HealthOK, ""},
		{"the relay refuses the client", func(s *local.StatusReport) { s.Problem = "the relay answered 401 no_identity" },
			cli.HealthWarning, "no_identity"},
		{"the relay is away", func(s *local.StatusReport) { s.Connected, s.Problem = false, "connection refused" },
			cli.HealthWarning, "connection refused"},
		{"the relay is away for a day", func(s *local.StatusReport) {
			s.Connected, s.Problem, s.LastContact = false, "connection refused", now.Add(-25*time.Hour)
		}, cli.HealthCritical, "no relay has answered since 2026-03-09T07:00:00Z"},
		{"no answer since a start today", func(s *local.StatusReport) {
			s.Connected, s.Problem, s.LastContact, s.Started = false, "connection refused", time.Time{}, now.Add(-time.Hour)
		}, cli.HealthWarning, "connection refused"},
		{"no answer since a start long ago", func(s *local.StatusReport) {
			s.Connected, s.Problem, s.LastContact = false,
				"refused", time.Time{}
		}, cli.HealthCritical, "2026-03-08"},
		{"the assigned relay is away", func(s *local.StatusReport) { s.InUse, s.Assigned = "fallback", "https://b:1" },
			cli.HealthWarning, "https://b:1"},
		{"a state was refused today", func(s *local.StatusReport) { s.LastRefused = now.Add(-time.Hour) }, cli.HealthWarning,
			"--refused"},
		{"a state was refused last week", func(s *local.StatusReport) { s.LastRefused = now.Add(-7 * 24 * time.Hour) },
			cli.HealthOK, ""},
		{"a scan failed", func(s *local.StatusReport) { s.Scan = &agent.ScanState{State: "failed", Reason: "no lists"} },
			cli.HealthWarning, "package scan failed: no lists"},
		{"the channel goes over HTTP", func(s *local.StatusReport) {
			s.Channel = local.ChannelReport{Transport: "HTTP", Failure: "tcp n:10123: connection refused"}
		}, cli.HealthOK, ""},
		{"the channel is away for a while", func(s *local.StatusReport) {
			s.Channel = local.ChannelReport{Failure: "connection refused", DownFrom: now.Add(-59 * time.Minute)}
		}, cli.HealthOK, ""},
		{"the channel is away for an hour", func(s *local.StatusReport) {
			s.Channel = local.ChannelReport{Failure: "connection refused", DownFrom: now.Add(-61 * time.Minute)}
		}, cli.HealthWarning, "without the notifier since 2026-03-10T06:59:00Z: connection refused"},
		{"a machine that is not enrolled has no channel", func(s *local.StatusReport) {
			s.Channel = local.ChannelReport{Waits: "for a certificate"}
		}, cli.HealthOK, ""},
		{"another machine has its identity", func(s *local.StatusReport) {
			s.Channel = local.ChannelReport{Duplicate: true, Failure: "another machine has this client's identity"}
		}, cli.HealthWarning, "another machine has"},
		{"the site wants nothing of it", func(s *local.StatusReport) {
			s.Channel = local.ChannelReport{Final: true, Failure: "revoked"}
		}, cli.HealthWarning, "revoked"},
		{"several at once", func(s *local.StatusReport) { s.Problem, s.OldestUnsent = "no", 90000 }, cli.HealthCritical,
			"no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status := well
			tt.change(&status)
			got, why := agentHealth(status, now)
			if text := strings.Join(why, "; "); got != tt.want || !strings.Contains(text, tt.why) ||
				(got == cli.HealthOK) != (text == "") {
				t.Errorf("health is %v because of %q; want %v with %q", got, text, tt.want, tt.why)
			}
		})
	}
}

// A program that reads a status finds lists as lists, and empty ones too.
func TestTheStatusHasTopicsAsNumbers(t *testing.T) {
	for want, s := range map[string]local.StatusReport{
		`"paused_topics": [500,501], "slowed_topics": [300]`: {Paused: []uint32{500, 501}, Slowed: []uint32{300}},
		`"paused_topics": [], "slowed_topics": []`:           {},
	} {
		var out strings.Builder
		if err := cli.WriteRecord(&out, "json", statusFields(s, cli.HealthOK, nil)); err != nil ||
			!strings.Contains(out.String(), want) {
			t.Errorf("the status is %s, %v; want %s in it", out.String(), err, want)
		}
	}
}

// Connected is said of the channel alone where people read it; programs find the name they know.
func TestOnlyProgramsReadThatTheRelayAnsweredAsConnected(t *testing.T) {
	for format, want := range map[string]string{"table": " relay_answered", "json": `"connected": true`} {
		var out strings.Builder
		fields := shown(statusFields(local.StatusReport{Connected: true}, cli.HealthOK, nil), format)
		if err := cli.WriteRecord(&out, format, fields); err != nil || !strings.Contains(out.String(), want) ||
			strings.Contains(out.String(), "relay_answered") != (format == "table") {
			t.Errorf("%s: %s, %v; want %s in it", format, out.String(), err, want)
		}
	}
}

// What people and programs read of the fast channel.
func TestTheStatusTellsOfTheChannel(t *testing.T) {
	at := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	s := local.StatusReport{Channel: local.ChannelReport{Transport: "HTTP", Server: "https://mp.example:8443", Since: at,
		Session: 812, Local: "10.0.0.7:51234", Remote: "10.0.0.1:8443", LastIn: at.Add(time.Minute),
		LastOut: at.Add(2 * time.Minute), NextTCP: at.Add(
			time.Hour), Failure: "tcp n:10123: connection refused", FailedAt: at}}
	var out strings.Builder
	if err := cli.WriteRecord(&out, "json", statusFields(s, cli.HealthOK, nil)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"channel": "HTTP"`, `"channel_server": "https://mp.example:8443"`,
		`"channel_since": "2026-03-10T08:00:00Z"`, `"channel_local": "10.0.0.7:51234"`,
		`"channel_remote": "10.0.0.1:8443"`, `"channel_last_received": "2026-03-10T08:01:00Z"`,
		`"channel_last_sent": "2026-03-10T08:02:00Z"`, `"channel_session": 812`, `"channel_keepalive": ""`,
		`"channel_next_tcp": "2026-03-10T09:00:00Z"`, `"channel_failure": "tcp n:10123: connection refused"`,
		`"channel_failed_at": "2026-03-10T08:00:00Z"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the status is %s; want %s in it", out.String(), want)
		}
	}
	out.Reset()
	if err := cli.WriteRecord(&out, "json", statusFields(local.StatusReport{Channel: local.ChannelReport{
		Waits: "for a certificate", KeepAlive: 900, Local: "10.0.0.7:51234", Remote: "10.0.0.1:8443"}}, cli.HealthOK,
		nil)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"channel": "none"`, `"channel_waits": "for a certificate"`, `"channel_keepalive": ""`,
		`"channel_local": ""`, `"channel_remote": ""`, `"channel_next_try": "never"`, `"channel_next_tcp": "never"`} {
		if !strings.Contains(out.String(), want) { // of the last connection nothing is said as if it still were
			t.Errorf("the status is %s; want %s in it", out.String(), want)
		}
	}
}

// Whoever watches an agent is not held up by one that hangs: its socket takes callers and nobody answers them.
func TestAnAgentThatHangsIsCritical(t *testing.T) {
	t.Parallel()
	dir := Dir(t.TempDir())
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := local.Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	late, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = statusWithin(late, local.Dial(dir), 50*time.Millisecond)
	if late.Err() != nil || err == nil || !strings.Contains(err.Error(), "does not answer") ||
		errors.Is(err, local.ErrNotRunning) {
		t.Fatalf("a silent agent gives %v", err)
	}
	if h := new(commands).silentAgent(nil, err); h != cli.HealthCritical {
		t.Errorf("its health is %v", h)
	}
}

// Whoever looks at an agent that has just started reads that it waits, until when and why; later that says nothing any
// more.
func TestAnAgentThatHasNotAskedYetSaysThatItWaits(t *testing.T) {
	at := time.Date(2026, 3, 10, 8, 4, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		status local.StatusReport
		want   []string
	}{
		{"just started", local.StatusReport{NextContact: at, StartupJitter: 600},
			[]string{"2026-03-10T08:04:00Z", "agent.startup_jitter (10m0s)"}},
		{"asking now", local.StatusReport{StartupJitter: 600}, nil},
		{"it has asked, in vain", local.StatusReport{NextContact: at, Attempts: 1}, nil},
	} {
		got := firstWait(tt.status)
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q in it", tt.name, got, want)
			}
		}
		if tt.want == nil && got != "" {
			t.Errorf("%s: %q, want nothing", tt.name, got)
		}
	}
}
