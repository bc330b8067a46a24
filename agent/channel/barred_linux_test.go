package channel

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"statewire/notifier/wire"
)

const barredEnv = "STATEWIRE_TEST_BARRED"

// A firewall that drops what goes to the notifier's port: the client is there over HTTP within 15 seconds, both sides
// know why, and once the port is opened it comes back over TCP, within 7 minutes by itself.
func TestAPortThatAFirewallDrops(t *testing.T) {
	if os.Getenv(barredEnv) != "" {
		barred(t)
		return
	}
	switch _, err := exec.LookPath("nft"); {
	case os.Geteuid() != 0:
		t.Skip("only root can have a network of its own")
	case err != nil:
		t.Skip("nft is not there, to drop packets")
	}
	t.Parallel()
	again := exec.Command(os.Args[0], "-test.run=^TestAPortThatAFirewallDrops$", "-test.v")
	again.Env = append(os.Environ(), barredEnv+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("in a network of its own: %v\n%s", err, out)
	}
}

// barred is the test, in a network of its own.
func barred(t *testing.T) {
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	run("ip", "link", "set", "lo", "up")
	l := newLoopback(t)
	_, port, _ := net.SplitHostPort(l.tcp)
	run("nft", "add", "table", "inet", "test")
	run("nft", "add", "chain", "inet", "test", "in", "{ type filter hook input priority 0; }")
	run("nft", "add", "rule", "inet", "test", "in", "tcp", "dport", port, "drop")
	began := time.Now()
	c := l.connect()
	until(t, "on HTTP", over(c, "HTTP"))
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("on HTTP after %v", took)
	}
	why := "tcp " + l.tcp + ": no answer in 10s"
	until(t, "the site knows why", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return slices.ContainsFunc(l.rows, func(r wire.Row) bool {
			return r.Online && r.Channel == wire.HTTP && strings.HasPrefix(r.Why, why)
		})
	})
	if got := c.Status(); !strings.HasPrefix(got.Failure, why) || time.Until(got.NextTCP) > 6*time.Minute {
		t.Errorf("status %+v", got)
	}
	run("nft", "delete", "table", "inet", "test")
	if os.Getenv("STATEWIRE_TEST_LONG") == "" {
		c.Check("the test is in a hurry")
		until(t, "back on TCP", over(c, "TCP"))
		return
	}
	for end := began.Add(7 * time.Minute); !over(c, "TCP")(); time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatalf("not back in 7 minutes: %+v", c.Status())
		}
	}
}
