package relay

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"statewire/identity"
	"statewire/inbox"
)

// childEnv names the data folder of a relay that a test runs as a process of its own, to be traced or broken from
// outside.
const childEnv = "RELAY_TEST_CHILD"

// child runs a relay on a free port, prints the port, and stops when its input ends.
func child() {
	if err := runChild(os.Getenv(childEnv)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runChild(data string) error {
	debug.SetMemoryLimit(MemoryLimit)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	id, err := identity.Open(data+"/identity", identity.Options{})
	if err != nil {
		return err
	}
	in, err := inbox.Open(data+"/inbox", log)
	if err != nil {
		return err
	}
	defer in.Close()
	cfg := testConfig()
	cfg.DiskReserve, cfg.InodeReserve, cfg.MaxConnectionsPerIP = 0, 0, cfg.MaxConnections
	r, err := New(cfg, Deps{Inbox: in, Certificate: func(h *tls.ClientHelloInfo) (*tls.Certificate,
		error) {
		return id.Certificate(h)
	}, Log: log})
	if err != nil {
		return err
	}
	addr, err := r.Listen()
	if err != nil {
		return err
	}
	fmt.Println(addr)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { io.Copy(io.Discard, os.Stdin); cancel() }()
	return r.Run(ctx)
}
