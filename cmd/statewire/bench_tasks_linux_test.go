package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/fleet"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
	"statewire/site"
	"statewire/trust"
)

// BenchmarkLimitTasks has 5,000 clients connected, over TCP and then over HTTP, or as many as STATEWIRE_TEST_FLEET
// says, and asks single ones for a test event: how long from the request to the answer that the site knows. Goal: 99 of
// 100 within a second.
func BenchmarkLimitTasks(b *testing.B) {
	clients := 5000
	if n, err := strconv.Atoi(os.Getenv(fleetEnv)); err == nil {
		clients = n
	}
	for channel, listen := range []string{"127.0.0.1:0", "127.0.0.2:0"} { // clients look for the second at 127.0.0.1
		b.Run(wire.Channel(channel).String(), func(b *testing.B) {
			for b.Loop() {
				answers(b, clients, wire.Channel(channel), listen)
			}
		})
	}
}

func answers(b *testing.B, clients int, channel wire.Channel, listen string) {
	const tasks = 300
	data := b.TempDir() // on a disk, unlike dataDir: what is asked for is synced
	s := serve(b, data, "--set", "relay.auth=mtls", "--set", "enroll.per_hour=0", "--set", "notifier.listen="+listen,
		"--set", "notifier.throttle=1000")
	s.awaitReady()
	ctx, cancel := context.WithTimeout(b.Context(), 15*time.Minute)
	defer cancel()
	f := connectFleet(ctx, b, s, clients)
	over := make(chan error, 1)
	go func() { over <- f.Run(ctx) }()
	ask := manager.Dial(site.ManagerSocket(data))
	defer ask.Close()
	for {
		servers, err := ask.Servers(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if len(servers) == 1 && servers[0].Online == clients {
			if channel == wire.HTTP && servers[0].HTTP != clients {
				b.Fatalf("%+v", servers[0])
			}
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	var ids []uuid.UUID
	for _, row := range query(b, data, "SELECT client_id FROM client_presence FINAL WHERE online_status = 1") {
		ids = append(ids, uuid.MustParse(row[0]))
	}
	chance := rand.New(rand.NewPCG(1, 2))
	var took []time.Duration
	for range tasks {
		began := time.Now()
		t, err := ask.Create(ctx, manager.By{}, manager.Order{Name: "TestEvent",
			Clients: []uuid.UUID{ids[chance.IntN(len(ids))]}})
		if err != nil {
			b.Fatal(err)
		}
		for t.State == manager.TaskActive {
			if t, err = ask.Show(ctx, manager.By{}, fmt.Sprint(t.ID), manager.ShowOptions{Limit: 1},
				func(manager.StepStatus) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		if t.Counts.Succeeded != 1 {
			b.Fatalf("%+v", t)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[tasks/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[tasks*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[tasks-1].Microseconds())/1000, "max-ms")
	cancel()
	<-over
}

// connectFleet enrols a fleet.
func connectFleet(ctx context.Context, b *testing.B, s *server, clients int) *fleet.Fleet {
	b.Helper()
	text := done(b, s.data, "enroll", "token", "create", "--expires", "24h", "--uses", fmt.Sprint(clients))
	token, err := trust.ParseToken(strings.TrimSpace(text))
	if err != nil {
		b.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(s.data, "identity", "ca.crt"))
	if err != nil {
		b.Fatal(err)
	}
	cfg := fleet.DefaultConfig()
	cfg.Clients, cfg.Relay, cfg.Token, cfg.Silent, cfg.Leave = clients, "https://"+s.relay(), &token, 0, 0
	cfg.PatchDay, cfg.For, cfg.PolicyInterval = 24*time.Hour, time.Hour, time.Hour // in real time: next to nothing
	cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	cfg.TLS.RootCAs.AppendCertsFromPEM(authority)
	f, err := fleet.New(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Enrol(ctx); err != nil {
		b.Fatal(err)
	}
	return f
}
