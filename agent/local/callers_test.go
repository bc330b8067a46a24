package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"statewire/agent"
	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/channel"
	"statewire/agent/credentials"
	"statewire/agent/packages"
)

// Programs that connect and say nothing, or nonsense, keep nobody else from being answered.
func TestIdleAndNoisyCallersHoldUpNobody(t *testing.T) {
	o := operate(t)
	for i := range maxCallers - 1 {
		conn, err := dial(t.Context(), o.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write(bytes.Repeat([]byte{byte(i), 0xff, 0}, i)) // the agent may have hung up
	}
	if _, err := o.client.Status(t.Context()); err != nil {
		t.Errorf("the agent says %v", err)
	}
}

func TestOnlyTheAgentsUserMayUseTheSocket(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // the pipe's access list says so
	}
	o := operate(t)
	info, err := os.Stat(socketPath(o.dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v; want -rw-------", info.Mode(), err)
	}
}

// Callers at once are each answered once, and nothing of theirs is lost.
func TestManyProgramsTellStatesAtOnce(t *testing.T) {
	o := operate(t)
	const programs, each = 40, 5
	errs := make(chan error, programs)
	for p := range programs {
		go func() {
			var err error
			for i := range each {
				_, e := o.client.Raise(t.Context(), RaiseRequest{States: []RaisedState{{TopicType: 500,
					TopicID: fmt.Sprint(p, "-", i), StateID: 2}}})
				err = errors.Join(err, e)
			}
			errs <- err
		}()
	}
	for range programs {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	list, err := o.client.Messages(t.Context())
	if err != nil || len(list.Held) != programs*each {
		t.Errorf("%d states are held, %v; want %d", len(list.Held), err, programs*each)
	}
	if slices.ContainsFunc(list.Held, func(h HeldState) bool { return h.Place != "waiting" || h.Serial != 0 }) {
		t.Error("a state that nobody sent has a serial or has left")
	}
}

// pipes is a listener of connections within this process.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, open := <-p; open {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// Callers that connect and say nothing hold up nobody for longer than somebody who watches the agent waits.
func TestSilentCallersDoNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := agent.New(agent.DefaultConfig(), agent.Deps{Identity: testIdentity, Store: cache.NewMemory(0),
			Relay: agenttest.NewSite(t), Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		own, err := credentials.Open(credentials.OpenFolder(t.TempDir()), credentials.Options{Log: quiet})
		if err != nil {
			t.Fatal(err)
		}
		ln := make(pipes)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() {
			served <- New(a, &packages.Source{}, own, channel.New(channel.Deps{}), About{}, quiet).Serve(ctx, ln)
		}()
		connect := func() net.Conn {
			here, there := net.Pipe()
			go func() { ln <- there }()
			return here
		}
		for range 3 * maxCallers {
			defer connect().Close()
		}
		synctest.Wait()
		began := time.Now()
		c := &Client{&http.Client{Transport: &http.Transport{DisableKeepAlives: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return connect(), nil }}}}
		if _, err := c.Status(t.Context()); err != nil || time.Since(began) > 8*time.Second {
			t.Errorf("the status came after %v, %v", time.Since(began), err)
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
