package notifier

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"statewire/notifier/wire"
)

// Each way to fail a handshake has its class, and is said in plain words.
func TestAttackHandshakesThatFailHaveAClass(t *testing.T) {
	site, strange := newSite(t), newSite(t)
	revoked, good, relay := site.enroll(t, ""), site.enroll(t, ""), site.enroll(t, "relay")
	site.revoke(t, revoked)
	foreign := strange.enroll(t, "")
	b := start(t, site, false)
	check(t, site.verifier.Refresh())
	dial := func(config *tls.Config) error {
		c, err := tls.Dial("tcp", b.listener.Addr().String(), config)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = c.Read(make([]byte, 1))
		return err
	}
	for _, tc := range []struct {
		name, class string
		try         func() error
	}{
		{"no certificate", failedNone, func() error {
			return dial(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{wire.ALPN}})
		}},
		{"of another site", failedUnknown, func() error { return dial(clientTLS(foreign)) }},
		{"of a relay", failedUnknown, func() error { return dial(clientTLS(relay)) }},
		{"revoked", failedRevoked, func() error { return dial(clientTLS(revoked)) }},
		{"TLS 1.2", failedVersion, func() error {
			config := clientTLS(good)
			config.MaxVersion = tls.VersionTLS12
			return dial(config)
		}},
		{"another protocol", failedALPN, func() error {
			config := clientTLS(good)
			config.NextProtos = []string{"h2"}
			return dial(config)
		}},
		{"no protocol", failedALPN, func() error {
			config := clientTLS(good)
			config.NextProtos = nil
			return dial(config)
		}},
		{"no trust in the server", failedDistrust, func() error {
			config := clientTLS(good)
			config.InsecureSkipVerify, config.ServerName = false, "localhost"
			return dial(config)
		}},
		{"no trust in the server, said in clear as by OpenSSL", failedDistrust, func() error {
			c := tls.Client(inClear{b.dial()}, &tls.Config{ServerName: "localhost", NextProtos: []string{wire.ALPN}})
			defer c.Close()
			return c.Handshake()
		}},
		{"the server's certificate has ended", failedDistrust, func() error {
			config := clientTLS(good)
			config.InsecureSkipVerify, config.RootCAs, config.ServerName = false, site.own.Pool(), "localhost"
			config.Time = func() time.Time { return time.Now().AddDate(50, 0, 0) }
			return dial(config)
		}},
		{"no TLS", failedNotTLS, func() error {
			c := b.dial()
			defer c.Close()
			io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			io.Copy(io.Discard, c)
			return io.EOF
		}},
		{"hung up", failedClosed, func() error { return b.dial().Close() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := b.metric("handshake_failures_total", tc.class)
			if err := tc.try(); err == nil && tc.class != failedClosed {
				t.Fatal("it got through")
			} else if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
				t.Fatal(err)
			}
			until(t, "it is counted", func() bool { return b.metric("handshake_failures_total", tc.class) == before+1 })
			until(t, "it is told", func() bool { return strings.Contains(b.log.String(), "class="+tc.class) })
			if plain[tc.class] == "" {
				t.Errorf("nobody is told what %s means", tc.class)
			}
		})
	}
	until(t, "no connection is left", func() bool { return b.metric("unsigned_connections", "") == 0 })
	if n := strings.Count(b.log.String(), "class="+failedUnknown); n != 1 {
		t.Errorf("one class is spoken of %d times a minute", n)
	}
	b.online(good, 1)
}

// inClear says after its ClientHello that the server's authority is unknown, and does not encrypt it.
type inClear struct{ net.Conn }

func (c inClear) Write(p []byte) (int, error) {
	if p[0] == 22 {
		return c.Conn.Write(p)
	}
	_, err := c.Conn.Write([]byte{21, 3, 3, 0, 2, 2, 48})
	return len(p), err
}

// What other clients than Go's say of the server's certificate is understood, too.
func TestAlertsHaveAClass(t *testing.T) {
	for alert, want := range map[tls.AlertError]string{42: failedDistrust, 45: failedClock, 46: failedProxy,
		48: failedProxy,
		70: failedVersion, 120: failedALPN, 80: failedOther} {
		if got := classOf(&net.OpError{Op: "remote error", Err: alert}); got != want {
			t.Errorf("%v is %s, not %s", alert, got, want)
		}
	}
}

// A handshake has ten seconds.
func TestAttackAHandshakeHasTenSeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		c := b.dial()
		began := time.Now()
		io.Copy(io.Discard, c)
		if took := time.Since(began); took != handshakeWithin {
			t.Errorf("after %v", took)
		}
		synctest.Wait()
		if b.metric("handshake_failures_total", failedTimeout) != 1 || b.metric("unsigned_connections", "") != 0 {
			t.Error("it is not counted")
		}
	})
}

// A revoked certificate, and one that has ended, gets in neither anew nor by a session ticket, and the connection that
// it has ends at the next look, which comes every ten seconds.
func TestI20RevocationEndsOpenAndResumedConnections(t *testing.T) {
	for _, tc := range []struct {
		name, reason, class string
		end                 func(*bed, member)
	}{
		{"revoked", "revoked", failedRevoked, func(b *bed, m member) {
			b.site.revoke(b.t, m)
			check(b.t, b.site.verifier.Refresh())
		}},
		{"ended", "expired", failedExpired, func(b *bed, m member) {
			b.site.ahead.Store(int64(time.Until(b.site.caller(b.t, m).NotAfter) + time.Second))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := start(t, newSite(t), false)
			m, other := b.site.enroll(t, ""), b.site.enroll(t, "")
			config := clientTLS(m)
			config.ServerName, config.ClientSessionCache = "site", tls.NewLRUClientSessionCache(1)
			first := b.connectWith(m, config)
			first.signIn(1)
			again := b.connectWith(m, config)
			if !again.tls.ConnectionState().DidResume {
				t.Fatal("it was not resumed")
			}
			again.signIn(2)
			first.closed(wire.CloseReplaced)
			q := b.online(other, 1)
			tc.end(b, m)
			b.sweep(0)
			if got := again.closed(wire.CloseRevoked); !strings.Contains(got.Text, "certificate") {
				t.Errorf("told %q", got.Text)
			}
			b.is(m, false, tc.reason)
			if tc.reason == "revoked" {
				q.nothing()
				b.is(other, true, "signin")
			}
			for _, config := range []*tls.Config{config, clientTLS(m)} {
				c := tls.Client(b.dial(), config)
				c.SetDeadline(time.Now().Add(5 * time.Second))
				_, err := c.Read(make([]byte, 1))
				if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("it got in: %v", err)
				}
				c.NetConn().Close()
			}
			until(t, "both are counted", func() bool { return b.metric("handshake_failures_total", tc.class) == 2 })
		})
	}
}

// Whoever opens connections and says nothing takes no place from those who speak: the oldest of them gives way, of an
// address first.
func TestAttackSilentConnectionsGiveWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		var silent []net.Conn
		for range maxUnsignedPerAddress { // a pipe has no address: all come from one
			silent = append(silent, b.dial())
		}
		synctest.Wait()
		if n := b.metric("unsigned_connections", ""); n != maxUnsignedPerAddress {
			t.Errorf("%v connections", n)
		}
		b.online(b.site.enroll(t, ""), 1)
		silent[0].SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := silent[0].Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the oldest is there: %v", err)
		}
		silent[1].SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := silent[1].Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the second oldest is not there: %v", err)
		}
		p.nothing()
		b.is(m, true, "signin")
		if b.metric("refused_total", limitUnsignedAddress) != 1 {
			t.Error("it is not counted")
		}
		for _, c := range silent {
			c.Close()
		}
		time.Sleep(time.Minute)
		if got := textOf(b.desk.messages(), wire.LimitReached); !strings.HasSuffix(got, "unsigned_per_address: 256.") {
			t.Errorf("told %q", got)
		}
	})
}

// A share is of all addresses together, too. While all of it is taken by those who came a moment ago, newcomers wait.
func TestAttackAllSilentConnectionsHaveOneShare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		var all []net.Conn
		began := time.Now()
		for i := range maxUnsigned {
			all = append(all, b.dialFrom(net.IPv4(10, 0, byte(i>>8), byte(i))))
		}
		m := b.site.enroll(t, "")
		late := b.dialFrom(net.IPv4(10, 9, 9, 9))
		c := tls.Client(late, clientTLS(m))
		check(t, c.Handshake())
		if took := time.Since(began); took != patience {
			t.Errorf("the newcomer waited %v", took)
		}
		if n := b.metric("unsigned_connections", ""); n != maxUnsigned {
			t.Errorf("%v connections", n)
		}
		if b.metric("refused_total", limitUnsigned) != 1 || b.listener.addresses() != maxUnsigned {
			t.Error("they are counted wrong")
		}
		all[7].Close()
		synctest.Wait()
		b.dialFrom(net.IPv4(10, 9, 9, 8)).Close()
		if took := time.Since(began); took != patience {
			t.Errorf("a place is free, and the next one waited until %v", took)
		}
		for _, c := range append(all, late) {
			c.Close()
		}
		time.Sleep(time.Second)
		if b.listener.addresses() != 0 {
			t.Error("addresses are remembered")
		}
		time.Sleep(time.Minute)
		if got := textOf(b.desk.messages(), wire.LimitReached); !strings.HasSuffix(got, "unsigned: 512.") {
			t.Errorf("told %q", got)
		}
	})
}

// docs/channel.md tells the limits and times that this version keeps.
func TestTheDocumentedLimitsAreKept(t *testing.T) {
	text, err := os.ReadFile("../docs/channel.md")
	check(t, err)
	page := strings.Join(strings.Fields(string(text)), " ")
	for _, said := range []string{
		fmt.Sprintf("A handshake has %v seconds, the sign-in after it %v more, and so has each frame",
			handshakeWithin.Seconds(), signInWithin.Seconds()),
		fmt.Sprintf("%d connections may be before their sign-in, %d of one address;", maxUnsigned, maxUnsignedPerAddress),
		fmt.Sprintf("does not read for %v seconds, too", writeWithin.Seconds()),
		fmt.Sprintf("silent for up to %s minutes (probes of the system)", map[time.Duration]string{
			2 * time.Minute: "two"}[keepAlive.Idle]),
		fmt.Sprintf("probes find most within %s minutes", map[time.Duration]string{6 * time.Minute: "six"}[keepAlive.Idle+
			time.Duration(keepAlive.Count)*keepAlive.Interval]),
	} {
		if !strings.Contains(page, said) {
			t.Errorf("not there: %q", said)
		}
	}
}

// addresses are how many are counted.
func (l *listener) addresses() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.of)
}

// dialFrom opens a connection that comes from an address.
func (b *bed) dialFrom(ip net.IP) net.Conn {
	ours, theirs := net.Pipe()
	b.pipes.conns <- &addressed{theirs, &net.TCPAddr{IP: ip}}
	return ours
}

type addressed struct {
	net.Conn
	addr net.Addr
}

func (a *addressed) RemoteAddr() net.Addr { return a.addr }

// Above notifier.max_connections a new client is told to come later; one that is online may come again.
func TestConnectionsAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, func(cfg *Config, _ *Deps) { cfg.MaxConnections = 1 })
		m, other := b.site.enroll(t, ""), b.site.enroll(t, "")
		b.online(m, 1)
		p := b.connect(other)
		p.send(wire.SignIn, hello(other, 1))
		if got := p.closed(wire.CloseLimit); got.RetryAfter < 5*time.Minute || got.RetryAfter > 10*time.Minute {
			t.Errorf("told %+v", got)
		}
		q := b.online(m, 2)
		if b.metric("refused_total", "connections") != 1 {
			t.Error("it is not counted")
		}
		h := serveHTTP(t, b, other) // this way has its own limit
		h.signIn(other, 2)
		p = b.connect(other) // and who came by it takes no place of the other
		p.send(wire.SignIn, hello(other, 3))
		p.closed(wire.CloseLimit)
		if row := b.is(other, true, "signin"); row.Channel != wire.HTTP || b.metric("clients", "tcp") != 1 {
			t.Errorf("the row is %+v", row)
		}
		q.raw.Close()
		time.Sleep(time.Minute)
		if !strings.Contains(textOf(b.desk.messages(), wire.LimitReached), "connections: 1") {
			t.Errorf("told %+v", b.desk.messages())
		}
		b.online(other, 3)
	})
}

// A process that may not have the files holds fewer connections, says so, and starts.
func TestTooFewOpenFilesAreNoReasonNotToStart(t *testing.T) {
	b := start(t, newSite(t), false, func(cfg *Config, deps *Deps) {
		cfg.MaxConnections, deps.OtherFiles = 1<<30-1, 100
	})
	most := b.cfg.Load().MaxConnections
	if most >= 1<<30-1 || !strings.Contains(b.log.String(), "notifier.max_connections") {
		t.Errorf("%d connections", most)
	}
	cfg := DefaultConfig()
	cfg.MaxConnections = 1 << 29
	check(t, b.Configure(cfg))
	if b.cfg.Load().MaxConnections != most {
		t.Error("a change of the configuration lifts the limit")
	}
}

// An address that is taken, a folder that cannot be made, and what is missing are told at the start.
func TestWhatKeepsAServerFromStarting(t *testing.T) {
	site := newSite(t)
	b := start(t, site, false)
	cfg, deps := DefaultConfig(), Deps{Spool: filepath.Join(site.dir, "other"), Box: filepath.Join(site.dir, "bgb.box"),
		Certificate: site.own.Certificate, Callers: site.verifier}
	cfg.Listen = b.listener.Addr().String()
	again, err := New(cfg, deps)
	check(t, err)
	if err := again.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "notifier.listen "+cfg.Listen) {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config, *Deps){
		"configuration": func(c *Config, _ *Deps) { c.KeepAlive = 0 },
		"certificate":   func(_ *Config, d *Deps) { d.Certificate = nil },
		"callers":       func(_ *Config, d *Deps) { d.Callers = nil },
		"spool":         func(_ *Config, d *Deps) { d.Spool = filepath.Join(site.dir, "identity/ca.crt/x") },
	} {
		c, d := DefaultConfig(), deps
		change(&c, &d)
		if _, err := New(c, d); err == nil {
			t.Errorf("it starts without its %s", name)
		}
	}
}

// A client whose clock is wrong is told of, but not more than once in ten minutes.
func TestAWrongClockIsToldOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		for i, off := range []time.Duration{4 * time.Minute, -4 * time.Minute, 6 * time.Minute, 7 * time.Minute} {
			b.online(m, uint64(i), func(in *wire.SignInMessage) { in.Time = in.Time.Add(off) })
			time.Sleep(time.Minute)
		}
		if got := textOf(b.desk.messages(), wire.ClockOff); got != "The clock of "+clientText(m.id)+
			" is 6m0s ahead of the notification server's; clocks of other clients may be wrong, too." {
			t.Errorf("told %q", got)
		}
		time.Sleep(10 * time.Minute)
		b.online(m, 20, func(in *wire.SignInMessage) { in.Time = in.Time.Add(-time.Hour) })
		b.online(m, 21, func(in *wire.SignInMessage) { in.Time = in.Time.Add(time.Hour) })
		time.Sleep(time.Minute)
		if got := textOf(b.desk.messages(), wire.ClockOff); strings.Count(got, "\n") != 2 ||
			!strings.Contains(got, "1h0m0s behind") {
			t.Errorf("told %q", got)
		}
	})
}

// Messages that no manager took are told to the next.
func TestMessagesWaitForTheManager(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, func(_ *Config, deps *Deps) { deps.Manager.(*desk).setAway(errAway) })
		time.Sleep(2 * time.Minute)
		b.desk.mu.Lock()
		b.desk.asks, b.desk.away = nil, nil
		b.desk.mu.Unlock()
		time.Sleep(2 * time.Minute)
		all := b.desk.messages()
		if len(all) != 1 || all[0].ID != wire.ServerStarted || all[0].Component != wire.ServerComponent {
			t.Errorf("told %+v", all)
		}
	})
}

// Of messages that nobody takes the last ones are kept.
func TestTheLastMessagesAreKept(t *testing.T) {
	m := newMessages(time.Now, newSteady())
	for i := range messagesKept + 5 {
		m.say(wire.ClockOff, fmt.Sprint(i), "message %d", i)
	}
	all := m.take()
	if len(all) != messagesKept || all[0].Text != "message 5" ||
		all[messagesKept-1].Text != fmt.Sprintf("message %d", messagesKept+4) {
		t.Errorf("%d are kept, %q the first", len(all), all[0].Text)
	}
}

// One limit that is reached keeps nobody from hearing of another, and each is told of once in ten minutes.
func TestEachLimitIsToldOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		for range 3 {
			b.limit(limitConnections, 25_000)
			b.limit(limitHTTP, 20_000)
			time.Sleep(messagePause / 3)
		}
		b.limit(limitHTTP, 20_000)
		time.Sleep(time.Minute)
		var got []string
		for line := range strings.Lines(textOf(b.desk.messages(), wire.LimitReached)) {
			got = append(got, strings.TrimSpace(strings.TrimPrefix(line, "The notification server reached its limit of ")))
		}
		if want := []string{"connections: 25000.", "http: 20000.", "http: 20000."}; !slices.Equal(got, want) {
			t.Errorf("told %q, not %q", got, want)
		}
	})
}

// The server tries its own listeners with its own certificate, which counts as no client and is told of when it fails.
func TestTheServerTriesItsListeners(t *testing.T) {
	site := newSite(t)
	own := site.enroll(t, selfRole)
	test := &SelfTest{TLS: func(string) *tls.Config {
		return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own.pair}}
	}}
	b := start(t, site, false, func(_ *Config, deps *Deps) { deps.SelfTest = test })
	test.Channel = b.relay(t)
	b.selfTest(t.Context())
	if b.metric("self_test", "tcp") != 1 || b.metric("self_test", "http") != 1 {
		t.Fatalf("it failed: %s", b.log.String())
	}
	b.hub.mu.Lock()
	known := len(b.hub.clients)
	b.hub.mu.Unlock()
	if known != 0 || b.metric("clients", "tcp")+b.metric("clients", "http") != 0 {
		t.Error("it counts as a client")
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	closed.Close()
	test.Notifier, test.Channel = closed.Addr().String(), strings.Replace(test.Channel, "channel", "nowhere", 1)
	for range 3 {
		b.selfTest(t.Context())
	}
	if b.metric("self_test", "tcp") != 0 || b.metric("self_test", "http") != 0 {
		t.Error("nothing failed")
	}
	text := textOf(b.messages.take(), wire.PortUnreachable)
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, closed.Addr().String()) ||
		!strings.Contains(text, "404") {
		t.Errorf("told %q", text)
	}
}

// The self-test believes the confirmation of this run of this server alone.
func TestTheSelfTestKnowsItsServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		confirm := func(server uint32, epoch uint64) []byte {
			return wire.AppendFrame(nil, wire.SignInConfirm, wire.SignInConfirmMessage{Time: time.Now(), ServerID: server,
				Epoch: epoch, KeepAlive: time.Minute}.Encode())
		}
		for _, tc := range []struct {
			name   string
			answer []byte
			want   string // empty: it is this server's
		}{
			{"its own", confirm(1, b.epoch), ""},
			{"another server's", confirm(2, b.epoch), "another server"},
			{"of another start", confirm(1, b.epoch+1), "another server"},
			{"a good-bye", closeFrame(*stoppingClose()), "type 10"},
			{"nothing", nil, "EOF"},
		} {
			err := b.confirmed(bytes.NewReader(tc.answer))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
	})
}

// What keeps the listener from taking a connection passes. It is told of, and fills no log.
func TestAListenerThatTakesNothingGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		for range 20 {
			select {
			case b.pipes.broken <- syscall.EMFILE:
			case <-time.After(time.Minute):
				t.Fatal("it takes none any more")
			}
		}
		b.online(b.site.enroll(t, ""), 1)
		time.Sleep(time.Minute)
		if got := textOf(b.desk.messages(), wire.ListenerFailed); !strings.Contains(got, syscall.EMFILE.Error()) ||
			strings.Contains(got, "\n") {
			t.Errorf("told %q", got)
		}
		if n := strings.Count(b.log.String(), "no connection taken"); n != 1 {
			t.Errorf("logged %d times: it could fill the disk", n)
		}
	})
}

// The certificate of a notifier signs in as nobody else.
func TestAttackANotifierIsNoClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m, own := b.site.enroll(t, ""), b.site.enroll(t, selfRole)
		p := b.connect(own)
		p.send(wire.SignIn, hello(m, 1))
		p.expect(wire.SignInConfirm)
		p.closed(0)
		if b.row(m).Online {
			t.Error("the client is online")
		}
	})
}

// A wall clock that is set says nothing about silence.
func TestAClockThatIsSetChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		off := time.Duration(0)
		b := start(t, newSite(t), true, func(_ *Config, deps *Deps) {
			deps.Clock = func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				return time.Now().Add(off)
			}
		})
		m := b.site.enroll(t, "")
		b.online(m, 1)
		for _, to := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
			mu.Lock()
			off = to
			mu.Unlock()
			time.Sleep(5 * time.Minute)
			b.is(m, true, "signin")
		}
		time.Sleep(10*time.Minute + 20*time.Second)
		b.is(m, false, "silent")
	})
}
