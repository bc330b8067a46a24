package local

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnAgentThatDoesNotRunIsSaid(t *testing.T) {
	dir, err := os.MkdirTemp("", "sw")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if _, err := Dial(dir).Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a socket: %v, want %v", err, ErrNotRunning)
	}
	if runtime.GOOS == "windows" {
		return
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketPath(dir), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false) // as when the process is killed
	ln.Close()
	if _, err := Dial(dir).Status(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("with a dead agent's socket: %v, want %v", err, ErrNotRunning)
	}
	next, err := Listen(dir)
	if err != nil {
		t.Fatalf("the next agent cannot listen: %v", err)
	}
	next.Close()
}

// Nobody waits for ever for an agent that hangs, whatever they ask.
func TestAnAgentThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{&http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})}}
		for name, ask := range map[string]func(context.Context) error{
			"record":   func(ctx context.Context) error { _, err := c.Raise(ctx, RaiseRequest{}); return err },
			"send":     func(ctx context.Context) error { _, err := c.Raise(ctx, RaiseRequest{Now: true}); return err },
			"flush":    func(ctx context.Context) error { _, err := c.Send(ctx); return err },
			"resend":   func(ctx context.Context) error { _, err := c.Resend(ctx); return err },
			"scan":     func(ctx context.Context) error { _, err := c.Scan(ctx); return err },
			"status":   func(ctx context.Context) error { _, err := c.Status(ctx); return err },
			"messages": func(ctx context.Context) error { _, err := c.Messages(ctx); return err },
			"trace":    func(ctx context.Context) error { _, err := c.Trace(ctx, 1); return err },
			"report":   func(ctx context.Context) error { _, err := c.Report(ctx); return err },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			if err := ask(ctx); ctx.Err() != nil || err == nil || !strings.Contains(err.Error(), "does not answer") {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
	})
}
