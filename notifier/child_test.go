package notifier

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"statewire/identity"
	"statewire/notifier/wire"
)

// childEnv says which part of a benchmark this process is, with its arguments.
const childEnv = "NOTIFIER_TEST_CHILD"

// child is one part of a benchmark. It does what its input says, a line at a time, until that ends.
func child() {
	args := strings.Fields(os.Getenv(childEnv))
	var err error
	switch args[0] {
	case "server":
		err = serverChild(args[1], args[2], args[3:]...)
	case "bare":
		err = bareChild(args[1], args[2])
	case "clients":
		err = clientsChild(args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, args[0]+":", err)
		os.Exit(1)
	}
}

// serverChild runs a server, without a throttle unless one is given.
func serverChild(dir, listen string, throttle ...string) error {
	debug.SetGCPercent(GCPercent)
	own, err := identity.Open(filepath.Join(dir, "identity"), identity.Options{})
	if err != nil {
		return err
	}
	verifier, err := identity.NewVerifier(filepath.Join(dir, "identity"), 0, identity.Options{})
	if err != nil {
		return err
	}
	cfg := DefaultConfig()
	cfg.Listen, cfg.ThrottlePerSecond = listen, 1_000_000
	registry := prometheus.NewRegistry()
	s, err := New(cfg, Deps{Name: "bench", Spool: filepath.Join(dir, "spool"), Box: filepath.Join(dir, "bgb.box"),
		Certificate: own.Certificate, Callers: verifier, Registerer: registry,
		OtherFiles: -200, // few of the clients connect at one time, and nothing else needs files here
	})
	if err != nil {
		return err
	}
	addr, err := s.Listen()
	if err != nil {
		return err
	}
	s.queue.limiter.SetLimit(1e9)
	if len(throttle) > 0 {
		if cfg.ThrottlePerSecond, err = strconv.Atoi(throttle[0]); err != nil {
			return err
		}
		if err := s.Configure(cfg); err != nil {
			return err
		}
		s.queue.limiter.AllowN(time.Now(), cfg.ThrottlePerSecond)
	}
	go s.Run(context.Background())
	fmt.Println(addr)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "wake":
			var all []uuid.UUID
			for _, session := range s.hub.sessions() {
				all = append(all, session.caller.Client)
			}
			s.queue.wake(all)
			fmt.Println("ok")
		case "push":
			var all []wire.Push
			for i, session := range s.hub.sessions() {
				all = append(all, wire.Push{Push: uint64(i + 1), Task: uuid.New(), TaskID: 1, Client: session.caller.Client,
					NotAfter: time.Now().Add(time.Hour), Envelope: benchEnvelope})
			}
			s.queue.add(all)
			fmt.Println("ok")
		case "online":
			s.hub.mu.Lock()
			fmt.Println(s.hub.online[wire.TCP])
			s.hub.mu.Unlock()
		case "refused":
			families, err := registry.Gather()
			if err != nil {
				return err
			}
			n := 0.
			for _, f := range families {
				if name := f.GetName(); strings.HasSuffix(name, "_refused_total") || strings.HasSuffix(name, "_failures_total") {
					for _, m := range f.GetMetric() {
						n += m.GetCounter().GetValue()
					}
				}
			}
			fmt.Println(n)
		case "collect":
			debug.FreeOSMemory()
			fmt.Println("ok")
		case "goroutines":
			fmt.Println(runtime.NumGoroutine())
		}
	}
	return nil
}

// bareChild is what Go can do at most: it keeps connections and writes to one after the other.
func bareChild(dir, listen string) error {
	own, err := identity.Open(filepath.Join(dir, "identity"), identity.Options{})
	if err != nil {
		return err
	}
	config := identity.ServerTLS(own.Certificate)
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, own.Pool()
	config.NextProtos = []string{wire.ALPN}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var all []*tls.Conn
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				c := tls.Server(raw, config)
				if c.Handshake() != nil {
					return
				}
				mu.Lock()
				all = append(all, c)
				mu.Unlock()
				c.Write([]byte{0})
				go func() {
					c.Read(make([]byte, 1))
				}()
			}()
		}
	}()
	fmt.Println(l.Addr())
	pushFrame := (&push{wire.Push{Push: 1, Envelope: benchEnvelope}, wire.Request}).frame()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		out := map[string][]byte{"wake": wakeFrame, "push": pushFrame}[lines.Text()]
		mu.Lock()
		for _, c := range all {
			c.Write(out)
		}
		mu.Unlock()
		fmt.Println("ok")
	}
	return nil
}

// pushMark begins the envelope of a benchmark's task, which is as long as one of a real task.
const pushMark = "a-task-to-be-counted"

var benchEnvelope = append([]byte(pushMark), bytes.Repeat([]byte("x"), 1200-len(pushMark))...)

// crowd is many clients in one process.
type crowd struct {
	addr, protocol string
	pairs          []tls.Certificate
	ids            []uuid.UUID
	conns          []*tls.Conn
	woken          atomic.Int64
	returns        atomic.Bool
}

func clientsChild(args []string) error {
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	c := &crowd{addr: args[1], protocol: args[2], conns: make([]*tls.Conn, n)}
	if err := c.enroll(args[0], n); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "connect":
			if err := c.connectAll(); err != nil {
				return err
			}
		case "expect":
			c.woken.Store(0)
		case "publish":
			if _, err := c.conns[0].Write(map[string][]byte{"nats": []byte("PUB wake 0\r\n\r\n"),
				"mqtt": {0x30, 6, 0, 4, 'w', 'a', 'k', 'e'}}[c.protocol]); err != nil {
				return err
			}
		case "publish-task":
			if _, err := c.conns[0].Write(fmt.Appendf(nil, "PUB wake %d\r\n%s\r\n", len(benchEnvelope),
				benchEnvelope)); err != nil {
				return err
			}
		case "count":
			fmt.Println(c.woken.Load())
			continue
		case "woken":
			for c.woken.Load() < int64(n) {
				time.Sleep(time.Millisecond)
			}
		case "return":
			c.returns.Store(true)
		}
		fmt.Println("ok")
	}
	return nil
}

// enroll makes certificates with the site's own key, as its service would: enrolling so many takes longer than all
// else.
func (c *crowd) enroll(dir string, n int) error {
	own, err := identity.Open(filepath.Join(dir, "identity"), identity.Options{})
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "identity", "ca.key"))
	if err != nil {
		return err
	}
	caText, err := os.ReadFile(filepath.Join(dir, "identity", "ca.crt"))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	caBlock, _ := pem.Decode(caText)
	if block == nil || caBlock == nil {
		return errors.New("no authority")
	}
	caKey, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	ca, err := x509.ParseCertificate(caBlock.Bytes)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for i := range n {
		id := uuid.New()
		name := &url.URL{Scheme: "urn", Opaque: "statewire:" + own.ID().String() + ":client:" + id.String()}
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)),
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 3, 0), URIs: []*url.URL{name},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca,
			key.Public(), caKey)
		if err != nil {
			return err
		}
		c.ids = append(c.ids, id)
		c.pairs = append(c.pairs, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	}
	return nil
}

func (c *crowd) connectAll() error {
	var work sync.WaitGroup
	failed := make(chan error, len(c.conns))
	places := make(chan struct{}, 64)
	for i := range c.conns {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			if err := c.connect(i, 1); err != nil {
				failed <- err
				return
			}
			go c.read(i)
		})
	}
	work.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// connect opens one connection and presents itself as its protocol wants.
func (c *crowd) connect(i int, session uint64) error {
	config := &tls.Config{InsecureSkipVerify: true, Certificates: c.pairs[i : i+1]}
	if c.protocol == "channel" || c.protocol == "bare" {
		config.NextProtos = []string{wire.ALPN}
	}
	dialer := tls.Dialer{Config: config, NetDialer: &net.Dialer{Timeout: 10 * time.Second,
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%8))}}}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	raw, err := dialer.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	conn := raw.(*tls.Conn)
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err := c.present(conn, i, session); err != nil {
		conn.Close()
		return err
	}
	conn.SetDeadline(time.Time{})
	c.conns[i] = conn
	return nil
}

func (c *crowd) present(conn *tls.Conn, i int, session uint64) error {
	buffer := make([]byte, 4096)
	switch c.protocol {
	case "channel":
		if _, err := conn.Write(wire.AppendFrame(nil, wire.SignIn, hello(member{id: c.ids[i]}, session))); err != nil {
			return err
		}
		kind, payload, err := wire.ReadFrame(conn, wire.MaxFrame)
		if err == nil && kind != wire.SignInConfirm {
			return fmt.Errorf("a frame of type %d: %q", kind, payload)
		}
		return err
	case "bare":
		_, err := io.ReadFull(conn, buffer[:1])
		return err
	case "nats":
		if _, err := conn.Write([]byte("CONNECT {\"verbose\":false}\r\nSUB wake 1\r\nPING\r\n")); err != nil {
			return err
		}
		for said := ""; !strings.Contains(said, "PONG\r\n"); {
			n, err := conn.Read(buffer)
			if err != nil {
				return fmt.Errorf("after %q: %w", said, err)
			}
			said += string(buffer[:n])
		}
		return nil
	}
	id := fmt.Sprintf("c%06d", i)
	packet := append([]byte{0x10, byte(12 + len(id)), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, byte(len(id))}, id...)
	packet = append(packet, 0x82, 9, 0, 1, 0, 4, 'w', 'a', 'k', 'e', 0)
	if _, err := conn.Write(packet); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, buffer[:4+5])
	return err
}

// read counts what comes; whose connection is lost comes back, as an agent does, when it is to.
func (c *crowd) read(i int) {
	mark := map[string][]byte{"channel": wakeFrame, "bare": wakeFrame, "nats": []byte("MSG wake"),
		"mqtt": []byte("wake")}[c.protocol]
	buffer := make([]byte, 256)
	for session := uint64(2); ; session++ {
		for {
			n, err := c.conns[i].Read(buffer)
			c.woken.Add(int64(bytes.Count(buffer[:n], mark)))
			if c.protocol == "channel" || c.protocol == "bare" {
				c.woken.Add(int64(bytes.Count(buffer[:n], []byte(pushMark))))
			}
			if err != nil {
				break
			}
		}
		c.conns[i].Close()
		if !c.returns.Load() {
			return
		}
		for pause := time.Second; ; pause = min(2*pause, 5*time.Minute) {
			time.Sleep(mathrand.N(pause))
			if c.connect(i, session) == nil {
				break
			}
		}
	}
}
