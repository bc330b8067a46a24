package channel

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/net/proxy"

	"statewire/notifier/wire"
)

// mostProxyWords bounds what is read of a proxy's answer.
const mostProxyWords = 64 << 10

// dialer opens connections. Probes find a dead one in three minutes: without them a client would wait for a wake that
// cannot come until its next keep-alive.
func dialer() *net.Dialer {
	return &net.Dialer{Timeout: connectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 2 * time.Minute, Interval: 15 * time.Second, Count: 4}}
}

// meter is what went over the connections of a link.
type meter struct {
	in, out       atomic.Int64 // Unix time in nanoseconds of the last byte; 0 = none
	local, remote atomic.Pointer[string]
	now           func() time.Time
}

func newMeter(now func() time.Time) *meter { return &meter{now: now} }

// metered is a connection whose bytes a meter sees.
type metered struct {
	net.Conn
	m *meter
}

func (c *metered) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.m.in.Store(c.m.now().UnixNano())
	}
	return n, err
}

func (c *metered) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if n > 0 {
		c.m.out.Store(c.m.now().UnixNano())
	}
	return n, err
}

// open opens a connection that a meter sees.
func (c *Channel) open(ctx context.Context, m *meter, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := c.d.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	m.local.Store(new(conn.LocalAddr().String()))
	m.remote.Store(new(conn.RemoteAddr().String()))
	return &metered{conn, m}, nil
}

// errNotNotifier is what a handshake ends with that agreed on no protocol.
var errNotNotifier = errors.New("what answers there is not the notifier: another server has this port, or something " +
	"stands between")

// connectTCP makes a TLS connection to the notifier, straight or by the proxy of the environment.
func (c *Channel) connectTCP(ctx context.Context, address string, m *meter) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("the notifier's address: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	raw, err := c.reach(ctx, address, m)
	if err != nil {
		return nil, err
	}
	cfg := c.d.TLS(host).Clone()
	cfg.NextProtos, cfg.ServerName, cfg.MinVersion = []string{wire.ALPN}, host, tls.VersionTLS13
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	if conn.ConnectionState().NegotiatedProtocol != wire.ALPN {
		conn.Close()
		return nil, errNotNotifier
	}
	return conn, nil
}

// reach opens a connection to an address.
func (c *Channel) reach(ctx context.Context, address string, m *meter) (net.Conn, error) {
	by, err := c.d.Proxy(&http.Request{Method: http.MethodConnect, URL: &url.URL{Scheme: "https", Host: address}})
	if err != nil {
		return nil, fmt.Errorf("the proxy of the environment: %w", err)
	}
	if by == nil {
		return c.open(ctx, m, "tcp", address)
	}
	conn, err := c.throughProxy(ctx, by, address, m)
	if err != nil {
		return nil, &proxyError{by.Host, err}
	}
	return conn, nil
}

// proxyError is why a proxy gave no connection.
type proxyError struct {
	proxy string
	err   error
}

func (e *proxyError) Error() string { return fmt.Sprintf("the proxy %s: %v", e.proxy, e.err) }
func (e *proxyError) Unwrap() error { return e.err }

// defaultPorts are those of proxies, by the scheme of their address.
var defaultPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

func (c *Channel) throughProxy(ctx context.Context, by *url.URL, address string, m *meter) (net.Conn, error) {
	port, known := defaultPorts[by.Scheme]
	if !known {
		return nil, fmt.Errorf("its address begins with %.20q; allowed are http, https and socks5", by.Scheme)
	}
	if by.Port() != "" {
		port = by.Port()
	}
	at := net.JoinHostPort(by.Hostname(), port)
	forward := dialFunc(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return c.open(ctx, m, network, at)
	})
	if by.Scheme == "socks5" || by.Scheme == "socks5h" {
		return throughSOCKS(ctx, by, at, address, forward)
	}
	conn, err := forward(ctx, "tcp", at)
	if err != nil {
		return nil, err
	}
	if by.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: by.Hostname(), MinVersion: tls.VersionTLS12})
	}
	if err := throughCONNECT(ctx, by, conn, address); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// dialFunc is a dialer of x/net/proxy.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialFunc) Dial(network, address string) (net.Conn, error) {
	return f(context.Background(), network, address)
}

func (f dialFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

func throughSOCKS(ctx context.Context, by *url.URL, at, address string, forward dialFunc) (net.Conn, error) {
	var auth *proxy.Auth
	if by.User != nil {
		password, _ := by.User.Password()
		auth = &proxy.Auth{User: by.User.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", at, auth, forward)
	if err != nil {
		return nil, err
	}
	return d.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
}

// throughCONNECT asks an HTTP proxy for a way to an address.
func throughCONNECT(ctx context.Context, by *url.URL, conn net.Conn, address string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address,
		Header: http.Header{"User-Agent": {"statewire-agent"}}}
	if by.User != nil {
		password, _ := by.User.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+
			base64.StdEncoding.EncodeToString([]byte(by.User.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	// A server of TLS says nothing before its client: nothing of it is read here.
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, mostProxyWords)), req)
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	return errors.Join(ctx.Err(), connectRefused(address, resp))
}

func connectRefused(address string, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("it refuses CONNECT to %s: %.100q", address, resp.Status)
}

// throughRelayProxy names the proxy that does not let a request to the relay through.
func throughRelayProxy(_ context.Context, by *url.URL, req *http.Request, resp *http.Response) error {
	if err := connectRefused(req.Host, resp); err != nil {
		return &proxyError{by.Host, err}
	}
	return nil
}
