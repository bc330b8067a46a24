package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
	"statewire/site"
)

// hostile is a program that has all that a relay and a notifier have: the listener's certificate and key, the work that
// the manager hands out, and the connections of clients.
type hostile struct {
	t    *testing.T
	ln   net.Listener
	work *manager.Client

	mu   sync.Mutex
	conn net.Conn // of the client. Guarded by mu, as all below.
	said []wire.ResponseMessage
	got  uint64
}

func takeOver(t *testing.T, data, addr string) *hostile {
	t.Helper()
	path := identity.ServerFile(site.IdentityDir(data))
	pair, err := tls.LoadX509KeyPair(path, path)
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{t: t, work: manager.Dial(site.ManagerSocket(data))}
	t.Cleanup(func() { h.work.Close() })
	h.ln, err = tls.Listen("tcp", addr, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13,
		NextProtos: []string{wire.ALPN}, ClientAuth: tls.RequireAnyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.ln.Close() })
	go func() {
		for {
			c, err := h.ln.Accept()
			if err != nil {
				return
			}
			go h.serve(c)
		}
	}()
	return h
}

// serve confirms whoever signs in, and says that it is ten years ago.
func (h *hostile) serve(c net.Conn) {
	defer c.Close()
	for {
		kind, payload, err := wire.ReadFrame(c, wire.MaxFrame)
		if err != nil {
			return
		}
		switch kind {
		case wire.SignIn:
			in, _ := wire.DecodeSignIn(payload)
			confirm := wire.SignInConfirmMessage{Time: time.Now().AddDate(-10, 0, 0), ServerID: 1, Epoch: 1,
				KeepAlive: time.Hour, Session: in.Session}
			_, _ = c.Write(wire.AppendFrame(nil, wire.SignInConfirm, confirm.Encode()))
			h.mu.Lock()
			h.conn = c
			h.mu.Unlock()
		case wire.Received, wire.Response:
			m, err := wire.DecodeResponse(payload)
			if err != nil {
				h.t.Errorf("the agent says %q: %v", payload, err)
			}
			h.mu.Lock()
			h.said = append(h.said, m)
			h.mu.Unlock()
		}
	}
}

// connected waits for a client.
func (h *hostile) connected() {
	h.t.Helper()
	if !eventually(patience, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.conn != nil }) {
		h.t.Fatal("the client does not come")
	}
}

// seen tells the manager that a client is online here, so that its tasks are handed out.
func (h *hostile) seen(host string, client uuid.UUID) {
	h.t.Helper()
	now := time.Now().UTC()
	err := h.work.Seen(h.t.Context(), wire.Seen{Server: host, ServerID: 1, Epoch: 1, Rows: []wire.Row{{Client: client,
		Online: true, Session: 1 << 20, Seq: 1, Since: now, Last: now, Reason: wire.Online, Address: "127.0.0.1"}}})
	if err != nil {
		h.t.Fatal(err)
	}
}

// envelope waits for what the manager signed for a client.
func (h *hostile) envelope(host string, client uuid.UUID) wire.Push {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	for {
		work, err := h.work.Work(ctx, wire.Ask{Server: host, ServerID: 1, Epoch: 1, Got: h.got})
		if err != nil {
			h.t.Fatal(err)
		}
		h.got = work.Number
		for _, push := range work.Pushes {
			if push.Client == client {
				return push
			}
		}
	}
}

// push gives the client frames.
func (h *hostile) push(number uint64, envelope []byte) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.conn.Write(wire.AppendFrame(nil, wire.Request, wire.JoinPush(number, envelope))); err != nil {
		h.t.Fatal(err)
	}
}

// answered waits until the client has said how a delivery ended.
func (h *hostile) answered(number uint64) wire.ResponseMessage {
	h.t.Helper()
	var found wire.ResponseMessage
	if !eventually(patience, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, m := range h.said {
			if m.Push == number && m.Step.Final() {
				found = m
				return true
			}
		}
		return false
	}) {
		h.t.Fatalf("delivery %d is not answered: %+v", number, h.said)
	}
	return found
}

// accepted says whether the client took anything on.
func (h *hostile) accepted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.said, func(m wire.ResponseMessage) bool { return m.Step != wire.StepRefused })
}

// TestAServerThatWasTakenOverStartsNothing hands the keys, the folder and the socket of relay and notifier to a hostile
// program. It can hold back what a person asked for, and hand it out. It cannot make a task, change one, give it to
// another client, have it done twice, or have it done after its time.
func TestAServerThatWasTakenOverStartsNothing(t *testing.T) {
	t.Parallel()
	o := goOnline(t)
	o.site.await("notifier listening", "addr", patience)
	ended(t, o.site.process)
	o.args = append(o.args, "--roles", "relay,identity,ingest,resync,reports", // clients know the notifier's port
		"--set", "notifier.presence_interval=5m") // it tells of presence by no file
	o.start()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	h := takeOver(t, o.member.site, o.args[1][len("notifier.listen="):])
	scan := newSideEffects(t, "0")
	o.worker(scan)
	h.connected()
	client := uuid.MustParse(o.client)
	h.seen(host, client)

	late := push(t, o.member.site, "QuickScan", "--client", o.client, "--yes", "--validity", "1m")
	held := h.envelope(host, client)
	task := push(t, o.member.site, "QuickScan", "--client", o.client, "--yes")
	good := h.envelope(host, client)
	other := uuid.MustParse("f1b00000-0000-4000-8000-000000000001")
	h.seen(host, other)
	push(t, o.member.site, "QuickScan", "--client", other.String(), "--yes")
	foreign := h.envelope(host, other)

	number := uint64(1000)
	h.push(number, []byte("{}"))
	for at := range good.Envelope {
		number++
		changed := bytes.Clone(good.Envelope)
		changed[at]++
		h.push(number, changed)
	}
	number++
	h.push(number, foreign.Envelope) // answered once the others were looked at
	if m := h.answered(number); m.Step != wire.StepRefused || m.Code != "wrong_client" {
		t.Errorf("a task of another client is %+v", m)
	}
	if h.accepted() {
		t.Errorf("a task that was changed is taken: %+v", h.said)
	}
	if runs := scan.runs(); len(runs) != 0 {
		t.Fatalf("something ran that nobody asked for: %v", runs)
	}
	for range 3 {
		number++
		h.push(number, good.Envelope)
		if m := h.answered(number); m.Step != wire.StepSucceeded || m.Task.String() != task.GUID {
			t.Errorf("what was asked for: %+v", m)
		}
	}
	if runs := scan.runs(); len(runs) != 1 || runs[task.GUID] != 1 {
		t.Errorf("it ran as %v", runs)
	}
	if times(t) > 1 { // the shortest time that a task can have
		<-time.After(time.Until(held.NotAfter.Add(time.Second)))
		number++
		h.push(number, held.Envelope)
		if m := h.answered(number); m.Step != wire.StepRefused || !strings.HasPrefix(m.Code, "expired") {
			t.Errorf("a task after its time: %+v", m)
		}
		if runs := scan.runs(); runs[late.GUID] != 0 {
			t.Error("a task ran after its time")
		}
	}
}
