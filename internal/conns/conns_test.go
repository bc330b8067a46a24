package conns

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// serving is a server that answers / at once and /slow when goOn is closed.
func serving(t *testing.T, limits Limits) (l *Listener, reached, goOn chan struct{}) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, reached, goOn = New(tcp, limits), make(chan struct{}, 9), make(chan struct{})
	server := &http.Server{ConnState: l.State, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				reached <- struct{}{}
				<-goOn
			}
		})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close(); <-done })
	return l, reached, goOn
}

func dial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

func ask(t *testing.T, c net.Conn, path string) {
	t.Helper()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

func answered(t *testing.T, c net.Conn) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func ended(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a connection that should have given way has an answer")
	} else if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Error("a connection that should have given way is open")
	}
}

func (l *Listener) held() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open.Len()
}

// latest is whether the connection that began to wait last is this one of a client, and waits. A client has its answer
// before the server says that the connection is idle.
func (l *Listener) latest(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.open.Back()
	if e == nil {
		return false
	}
	last := e.Value.(*conn)
	return !last.busy && last.RemoteAddr().String() == c.LocalAddr().String()
}

// wait returns once the listener knows that c is the last that began to wait.
func wait(t *testing.T, l *Listener, c net.Conn) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !l.latest(c); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the listener does not see the connection wait")
		}
	}
}

func TestTheOldestSilentConnectionGivesWay(t *testing.T) {
	for name, limits := range map[string]Limits{"of all": {All: 3, PerAddress: 9},
		"of its address": {All: 9, PerAddress: 3}} {
		t.Run(name, func(t *testing.T) {
			l, reached, goOn := serving(t, limits)
			busy := dial(t, l)
			ask(t, busy, "/slow")
			<-reached
			spoke := dial(t, l)
			ask(t, spoke, "/")
			answered(t, spoke)
			wait(t, l, spoke)
			half := dial(t, l)
			io.WriteString(half, "GET / HT") // a head that does not end is silence
			wait(t, l, half)
			ask(t, spoke, "/") // has spoken last
			answered(t, spoke)
			wait(t, l, spoke)
			fresh := dial(t, l)
			ask(t, fresh, "/")
			answered(t, fresh)
			ended(t, half)
			if n := l.held(); n != 3 {
				t.Errorf("%d connections are held, want 3", n)
			}
			ask(t, spoke, "/slow")
			ask(t, fresh, "/slow")
			<-reached
			<-reached
			ended(t, dial(t, l)) // all places are at work
			close(goOn)
			for _, c := range []net.Conn{busy, spoke, fresh} {
				answered(t, c)
			}
		})
	}
}

func TestAnAddressIsCountedAsOneNetwork(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"127.0.0.1", "127.0.0.2", false},
		{"::ffff:127.0.0.1", "127.0.0.1", true},
		{"2001:db8::1", "2001:db8::2", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		a, b := Network(&net.TCPAddr{IP: net.ParseIP(tc.a)}), Network(&net.TCPAddr{IP: net.ParseIP(tc.b)})
		if (a == b) != tc.same {
			t.Errorf("%s and %s: %v and %v", tc.a, tc.b, a, b)
		}
	}
}
