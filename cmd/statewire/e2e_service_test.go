package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The service manager hears that the agent is ready, that it lives, and that it stops.
func TestAgentSpeaksToItsServiceManager(t *testing.T) {
	address := filepath.Join(dataDir(t), "notify.sock")
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	t.Setenv("NOTIFY_SOCKET", address)
	t.Setenv("WATCHDOG_USEC", "200000")
	hears := func(want string) {
		t.Helper()
		_ = ln.SetReadDeadline(time.Now().Add(patience))
		for buf := make([]byte, 4096); ; {
			n, err := ln.Read(buf)
			if err != nil {
				t.Fatalf("the service manager hears no %s: %v", want, err)
			}
			if slices.Contains(strings.Split(string(buf[:n]), "\n"), want) {
				return
			}
		}
	}
	m := newMember(t)
	p := spawn(t, m.data, nil, "agent", "run", "--set", "agent.relay=https://"+m.addr)
	hears("READY=1")
	if r := m.tell("x", 1); r.code != 0 {
		t.Errorf("once ready, agent send ended with %d: %s", r.code, r.errOut)
	}
	hears("WATCHDOG=1")
	hears("WATCHDOG=1")
	p.signal(syscall.SIGTERM)
	hears("STOPPING=1")
	if code := p.wait(patience); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
}

// SIGHUP makes the agent read its intervals again, and never ends it: not with a broken file, and not while it starts.
func TestAgentReadsItsIntervalsAgain(t *testing.T) {
	address := filepath.Join(dataDir(t), "notify.sock")
	ln, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	t.Setenv("NOTIFY_SOCKET", address)
	heard := func() string {
		t.Helper()
		_ = ln.SetReadDeadline(time.Now().Add(patience))
		buf := make([]byte, 4096)
		n, err := ln.Read(buf)
		if err != nil {
			t.Fatalf("the service manager hears nothing more: %v", err)
		}
		return string(buf[:n])
	}
	m := newMember(t)
	file := filepath.Join(m.data, "statewire.yaml")
	relay := "agent: {relay: 'https://" + m.addr + "', scan_interval: 0, "
	writeConfig(t, file, relay+"send_interval: 10m}\n")
	p := spawn(t, m.data, nil, "--config", file, "agent", "run")
	if got := heard(); !strings.HasPrefix(got, "READY=1") {
		t.Fatalf("the service manager hears %q", got)
	}
	for _, tt := range []struct{ text, says string }{
		{relay + "send_interval: 7m, policy_interval: 3m, startup_jitter: 1m}\n",
			"settings changed\",\"keys\":\"agent.policy_interval=3m, agent.send_interval=7m"},
		{relay + "send_interval: 0s}\n", "the settings in force stay\",\"err\":\"configuration: agent.send_interval " +
			"is 0s; allowed is 1s or more"},
		{"agent: {", "the settings in force stay\",\"err\":\"configuration: " + file},
	} {
		writeConfig(t, file, tt.text)
		p.signal(syscall.SIGHUP)
		if got := heard(); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+$`).MatchString(got) {
			t.Errorf("the service manager hears %q", got)
		}
		if got := heard(); got != "READY=1" {
			t.Errorf("after the reload the service manager hears %q", got)
		}
		if !eventually(patience, func() bool { return strings.Contains(p.text(), tt.says) }) {
			t.Errorf("the log does not say %q", tt.says)
		}
	}
	if line := p.logged("these settings take effect at the next start"); line == nil ||
		line["keys"] != "agent.startup_jitter" {
		t.Errorf("the log says %v of what waits for the next start", line)
	}
	if out := done(t, m.data, "--format", "json", "agent", "status"); !strings.Contains(out,
		`"send_interval": "7m0s"`) || !strings.Contains(out, `"policy_interval": "3m0s"`) {
		t.Errorf("the intervals in force are in\n%s", out)
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(patience); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
}

// The shipped unit is one that systemd takes, and starts the program with arguments that it knows.
func TestServiceUnit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "configs", "statewire-agent.service"))
	if err != nil {
		t.Fatal(err)
	}
	start := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/statewire (.+)$`).FindSubmatch(text)
	if start == nil {
		t.Fatal("the unit starts no /usr/bin/statewire")
	}
	cmd := exec.Command(program(t), append(strings.Fields(string(start[1])), "--help")...)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "this machine's client") {
		t.Errorf("its arguments give %v: %s", err, out)
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		return // no systemd to ask
	}
	unit := filepath.Join(dataDir(t), "statewire-agent.service")
	if err := os.WriteFile(unit, bytes.ReplaceAll(text, []byte("/usr/bin/statewire"), []byte(program(t))),
		0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput(); err != nil ||
		strings.Contains(string(out), "statewire-agent") {
		t.Errorf("systemd says %v: %s", err, out)
	}
}

// writeConfig replaces the file as editors do: written elsewhere, then renamed.
func writeConfig(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}
