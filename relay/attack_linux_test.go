package relay

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"statewire/identity"
)

// slowly begins an enrolment and sends no more of it than its head.
func slowly(t *testing.T, c *tls.Conn, path string) {
	t.Helper()
	if _, err := io.WriteString(c, request("POST "+path+" HTTP/1.1", "Content-Length: 16000")+`{"token":"`); err != nil {
		t.Fatal(err)
	}
}

// Enrolments that come slowly, more than are worked on at once, keep nobody from enrolling or renewing.
func TestAttackSlowEnrolmentsKeepOutNobody(t *testing.T) {
	cfg := testConfig()
	cfg.Auth, cfg.BodyTimeout = AuthMTLS, 20*time.Second
	s := start(t, cfg, Deps{Callers: inState{knownCallers: knownCallers{clientID(t, testClient)}},
		Enrolment: &issuer{answer: identity.EnrollAnswer{Certificate: "pem"}}})
	for range 2*enrolmentsAtOnce + 5 {
		slowly(t, s.dial(t), "/mp/enroll")
	}
	time.Sleep(100 * time.Millisecond) // so that those are read first
	began := time.Now()
	if resp, body := s.raw(t, ask("/mp/enroll", `{"token":"t"}`)); resp.StatusCode != 200 {
		t.Errorf("an enrolment: %d %s", resp.StatusCode, body)
	}
	s.show(t)
	if resp, body := s.raw(t, ask("/mp/renew", `{"csr":"c"}`)); resp.StatusCode != 200 {
		t.Errorf("a renewal: %d %s", resp.StatusCode, body)
	}
	if took := time.Since(began); took > 9*time.Second { // a place is waited for ten seconds
		t.Errorf("they waited %v", took)
	}
}

// Enrolments that come slowly on all connections give way to clients.
func TestAttackSlowEnrolmentsTakeNoConnectionOfOthers(t *testing.T) {
	cfg := testConfig()
	cfg.MaxConnections, cfg.MaxConnectionsPerIP = 4, 4
	s := start(t, cfg, Deps{Enrolment: &issuer{}})
	for range 4 {
		slowly(t, s.dial(t), "/mp/enroll")
	}
	time.Sleep(100 * time.Millisecond) // so that they are read
	for i := range 3 {
		if resp, body := s.raw(t, post(report(client(i), 1))); resp.StatusCode != http.StatusAccepted {
			t.Errorf("a report: %d %s", resp.StatusCode, body)
		}
	}
}

// Whoever shows no certificate is told so before its body is read.
func TestAttackARenewalWithoutACertificateIsNotRead(t *testing.T) {
	cfg := testConfig()
	cfg.Auth = AuthMTLS
	s := start(t, cfg, Deps{Callers: inState{knownCallers: knownCallers{clientID(t, testClient)}}, Enrolment: &issuer{}})
	c := s.dial(t)
	slowly(t, c, "/mp/renew")
	c.SetReadDeadline(time.Now().Add(3 * time.Second))
	if resp, body := answerOf(t, c); resp.StatusCode != 401 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// What is no enrolment: endless, deep, oversized, with names that stand twice, in other spellings of the path or hidden
// in another request.
func TestAttackBodiesAndPathsOfEnrolments(t *testing.T) {
	given := &issuer{answer: identity.EnrollAnswer{Certificate: "pem"}}
	cfg := testConfig()
	cfg.Auth = AuthMTLS
	s := start(t, cfg, Deps{Callers: inState{knownCallers: knownCallers{clientID(t, testClient)}}, Enrolment: given})
	endless := func(size string, n int) string {
		return request("POST /mp/enroll HTTP/1.1", "Transfer-Encoding: chunked") +
			strings.Repeat(size+"\r\n"+strings.Repeat("[", 4096)+"\r\n", n)
	}
	for _, c := range []struct {
		name, text string
		status     int
	}{
		{"endless", endless("1000", 64), 413},
		{"deep", ask("/mp/enroll", strings.Repeat("[", maxEnrollBytes)), 400},
		{"deep objects", ask("/mp/enroll", strings.Repeat(`{"token":`, 1500)), 400},
		{"oversized", ask("/mp/enroll", `{"token":"`+strings.Repeat("x", maxEnrollBytes)+`"}`), 413},
		{"two lengths", request("POST /mp/enroll HTTP/1.1", "Content-Length: 2", "Content-Length: 13") + `{"token":"t"}`,
			400},
		{"a negative length", request("POST /mp/enroll HTTP/1.1", "Content-Length: -1") + `{"token":"t"}`, 400},
		{"another method", request("GET /mp/enroll HTTP/1.1"), 405},
		{"another method of a renewal", request("PUT /mp/renew HTTP/1.1", "Content-Length: 0"), 405},
		{"dots", ask("/mp/../mp/enroll", `{"token":"t"}`), 404},
		{"dots behind", ask("/mp/reports/../enroll", `{"token":"t"}`), 404},
		{"escaped", ask("/mp/%65nroll", `{"token":"t"}`), 404},
		{"escaped slash", ask("/mp%2Fenroll", `{"token":"t"}`), 404},
		{"doubled slash", ask("//mp/enroll", `{"token":"t"}`), 404},
		{"a slash behind", ask("/mp/enroll/", `{"token":"t"}`), 404},
		{"upper case", ask("/MP/ENROLL", `{"token":"t"}`), 404},
		{"parameters", ask("/mp/enroll;x", `{"token":"t"}`), 404},
		{"a null", ask("/mp/enroll%00", `{"token":"t"}`), 404},
		{"a renewal without a certificate", ask("/mp/renew", `{"csr":"c"}`), 401},
	} {
		if resp, body := s.raw(t, c.text); resp.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, resp.StatusCode, body, c.status)
		}
	}
	if len(given.enrolls) != 0 || len(given.renews) != 0 {
		t.Errorf("passed on: %+v %+v", given.enrolls, given.renews)
	}
	// A length beside chunks: at most one request is answered, and the connection ends.
	c := s.dial(t)
	io.WriteString(c, request("POST /mp/enroll HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked")+
		"d\r\n{\"token\":\"t\"}\r\n0\r\n\r\n"+ask("/mp/enroll", `{"token":"hidden"}`))
	answerOf(t, c)
	io.Copy(io.Discard, c)
	for _, call := range given.enrolls {
		if call.Request.Token == "hidden" {
			t.Error("a hidden request was passed on")
		}
	}
}

// While strangers open connections that say nothing, flood with enrolments that look right and send bodies slowly,
// clients report at no less than half of what they do in peace.
func TestAttackClientsReportWhileStrangersFlood(t *testing.T) {
	if os.Getenv("STATEWIRE_TEST_LONG") == "" {
		t.Skip("it compares rates, which a busy machine does not keep: make attack runs it")
	}
	const silent, floods = 10_000, 64
	cfg := testConfig()
	cfg.MaxHandshakes, cfg.ClientRate = 256, 0
	wrong := &identity.Refusal{Code: identity.CodeTokenInvalid, Detail: "unknown", Status: 403}
	s := start(t, cfg, Deps{Enrolment: &issuer{err: wrong}})
	const clients, pause = 4, 20 * time.Millisecond // a usual rate, that the machine keeps with ease
	rate := func(during time.Duration) (done int64) {
		var n atomic.Int64
		var all sync.WaitGroup
		end := time.Now().Add(during)
		for i := range clients {
			all.Go(func() {
				for time.Now().Before(end) {
					c, err := tls.Dial("tcp", s.addr, s.ca)
					if err != nil {
						continue
					}
					c.SetDeadline(time.Now().Add(5 * time.Second))
					io.WriteString(c, post(report(client(i), 1)))
					resp, err := http.ReadResponse(bufioReader(c), nil)
					if err == nil && resp.StatusCode == http.StatusAccepted {
						n.Add(1)
					}
					c.Close()
					time.Sleep(pause)
				}
			})
		}
		all.Wait()
		return n.Load()
	}
	const span = 1500 * time.Millisecond
	peace := rate(span)
	stop := make(chan struct{})
	var strangers sync.WaitGroup
	for i := range silent {
		dialFrom(t, s, fmt.Sprintf("127.0.%d.%d", 1+i/200%200, 1+i%200))
	}
	for i := range floods {
		strangers.Go(func() {
			from := fmt.Sprintf("127.1.%d.1", i)
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				c, err := tls.DialWithDialer(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}, "tcp", s.addr, s.ca)
				if err != nil {
					continue
				}
				c.SetDeadline(time.Now().Add(2 * time.Second))
				if i%4 == 0 {
					io.WriteString(c, request("POST /mp/enroll HTTP/1.1", "Content-Length: 16000")+"{")
				} else {
					io.WriteString(c, ask("/mp/enroll", `{"token":"swe1.AAAAAAAA.x.y"}`))
				}
				io.CopyN(io.Discard, c, 1)
				c.Close()
			}
		})
	}
	war := rate(span)
	close(stop)
	strangers.Wait()
	t.Logf("%d reports in peace, %d in war", peace, war)
	if war*2 < peace {
		t.Errorf("%d reports in war, %d in peace", war, peace)
	}
}

// turning knows a client until it is revoked: in the handshake alone, so that nothing else refuses it.
type turning struct {
	knownCallers

	revoked *atomic.Bool
}

func (c turning) Verify(tls.ConnectionState) error {
	if c.revoked.Load() {
		return &identity.Refusal{Code: identity.CodeRevoked, Detail: "lost", Status: 401, Retry: true}
	}
	return nil
}

// A resumed session is looked at as a new one is: a revoked client does not come back with its ticket.
func TestAttackAResumedSessionIsVerified(t *testing.T) {
	cfg := testConfig()
	cfg.Auth = AuthMTLS
	var revoked atomic.Bool
	s := start(t, cfg, Deps{Callers: turning{knownCallers{clientID(t, testClient)}, &revoked}})
	s.show(t)
	s.ca.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	come := func() (resumed bool, err error) {
		c, err := tls.Dial("tcp", s.addr, s.ca)
		if err != nil {
			return false, err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, post(report(testClient, 1)))
		resp, err := http.ReadResponse(bufioReader(c), nil)
		if err == nil && resp.StatusCode != http.StatusAccepted {
			err = fmt.Errorf("answered %s", resp.Status)
		}
		return c.ConnectionState().DidResume, err
	}
	if _, err := come(); err != nil {
		t.Fatal(err)
	}
	if resumed, err := come(); err != nil || !resumed {
		t.Fatalf("resumed: %v, %v", resumed, err)
	}
	revoked.Store(true)
	if resumed, err := come(); err == nil {
		t.Errorf("a revoked client is let in; resumed: %v", resumed)
	}
	counted := func() float64 { return counterOf(t, s.relay.metrics.tlsRefused.WithLabelValues("revoked")) }
	// the client hears first
	for deadline := time.Now().Add(10 * time.Second); counted() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := counted(); n != 1 {
		t.Errorf("counted %v times", n)
	}
}
