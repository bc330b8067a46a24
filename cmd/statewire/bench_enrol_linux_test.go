package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"statewire/fleet"
	"statewire/trust"
)

// BenchmarkLimitEnrolments has a fleet enrol with one token at a site, each client under an id of its own, of which the
// site looks for reports in its store: 1,000 clients, or as many as STATEWIRE_TEST_FLEET says. Goal: 100 a second on two
// cores that the fleet shares, and at most 5 ms of the site's processor time for one.
func BenchmarkLimitEnrolments(b *testing.B) {
	clients := 1000
	if n, err := strconv.Atoi(os.Getenv(fleetEnv)); err == nil {
		clients = n
	}
	for b.Loop() {
		enrolments(b, clients)
	}
}

func enrolments(b *testing.B, clients int) {
	data := b.TempDir() // on a disk, unlike dataDir: what enrols is synced
	s := serve(b, data, "--set", "relay.auth=mtls", "--set", "enroll.per_hour=0")
	s.awaitReady()
	text := done(b, data, "enroll", "token", "create", "--expires", "24h", "--uses", fmt.Sprint(clients))
	token, err := trust.ParseToken(strings.TrimSpace(text))
	if err != nil {
		b.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(data, "identity", "ca.crt"))
	if err != nil {
		b.Fatal(err)
	}
	cfg := fleet.DefaultConfig()
	cfg.Clients, cfg.Relay, cfg.Token = clients, "https://"+s.relay(), &token
	cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	cfg.TLS.RootCAs.AppendCertsFromPEM(authority)
	f, err := fleet.New(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	before, began := spentBy(b, s.cmd.Process.Pid), time.Now()
	if err := f.Enrol(b.Context()); err != nil {
		b.Fatal(err)
	}
	took, after := time.Since(began), spentBy(b, s.cmd.Process.Pid)
	enrolled := float64(f.Stats().Enrolled)
	info, err := os.Stat(filepath.Join(data, "identity", "identity.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(enrolled, "clients")
	b.ReportMetric(enrolled/took.Seconds(), "enrolments/s")
	b.ReportMetric(float64((after.cpu-before.cpu).Microseconds())/1000/enrolled, "cpu-ms/enrolment")
	b.ReportMetric(float64(after.written-before.written)/enrolled, "written-B/enrolment")
	b.ReportMetric(float64(info.Size())/enrolled, "db-B/client")
	b.ReportMetric(float64(residentPeak(b, s.cmd.Process.Pid))/(1<<20), "site_MiB")
}

// residentPeak is the most memory that a process had.
func residentPeak(b *testing.B, pid int) (bytes int64) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}
