package identity

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func open(t *testing.T, dir string, opt Options) *Site {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func leaf(t *testing.T, s interface {
	Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}) *x509.Certificate {
	t.Helper()
	pair, err := s.Certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestFirstStartMakesWhatTheNextOnesRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "identity")
	first, again := open(t, dir, Options{}), open(t, dir, Options{})
	if !leaf(t, first).Equal(leaf(t, again)) || !first.authority().cert.Equal(again.authority().cert) {
		t.Error("the second start made certificates of its own")
	}
	for name, mode := range map[string]os.FileMode{".": 0o700, caCertFile: 0o644, caKeyFile: 0o600, serverFile: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %v, not %v", name, info.Mode().Perm(), mode)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
		t.Errorf("beside the folder lie %v %v", entries, err)
	}
}

func TestProcessesThatStartAtOnceShareOneAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	sites := make([]*Site, 8)
	var wg sync.WaitGroup
	for i := range sites {
		wg.Go(func() {
			s, err := Open(dir, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			sites[i] = s
		})
	}
	wg.Wait()
	for _, s := range sites {
		if s == nil || !s.authority().cert.Equal(sites[0].authority().cert) {
			t.Fatal("authorities differ")
		}
		if _, err := leaf(t, s).Verify(x509.VerifyOptions{Roots: sites[0].Pool()}); err != nil {
			t.Error(err)
		}
	}
}

func TestCallersCanVerifyTheServer(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "identity"),
		Options{Hosts: []string{"relay.example.com", "192.0.2.1", "2001:db8::1"}})
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "relay.example.com", "192.0.2.1", "2001:db8::1"} {
		client, server := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- tls.Server(server, ServerTLS(s.Certificate)).Handshake(); server.Close() }()
		c := tls.Client(client, &tls.Config{RootCAs: s.Pool(), ServerName: name})
		err := c.Handshake()
		client.Close()
		if serverErr := <-done; err != nil || serverErr != nil {
			t.Errorf("%s: %v, %v", name, err, serverErr)
		}
		if version := c.ConnectionState().Version; version != tls.VersionTLS13 {
			t.Errorf("%s: version %x", name, version)
		}
	}
}

func TestTheAuthorityIsOnlyForThisUse(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "identity"), Options{})
	ca, cert := s.authority().cert, leaf(t, s)
	if !ca.IsCA || !ca.MaxPathLenZero || ca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("authority: %v %v %v", ca.IsCA, ca.MaxPathLenZero, ca.KeyUsage)
	}
	if cert.IsCA || len(cert.ExtKeyUsage) != 1 || cert.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
		t.Errorf("server: %v %v", cert.IsCA, cert.ExtKeyUsage)
	}
}

func TestTheServerCertificateIsRenewedInUse(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "identity"), &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	s := open(t, dir, Options{Clock: now.now})
	first := leaf(t, s)
	if first.NotBefore != now.now().Add(-5*time.Minute) || first.NotAfter != now.now().Add(90*24*time.Hour) {
		t.Errorf("valid from %v to %v", first.NotBefore, first.NotAfter)
	}
	now.add(59 * 24 * time.Hour)
	if !leaf(t, s).Equal(first) {
		t.Error("renewed before two thirds of its life")
	}
	now.add(2 * 24 * time.Hour)
	second := leaf(t, s)
	if second.Equal(first) || second.NotAfter != now.now().Add(90*24*time.Hour) {
		t.Error("not renewed after two thirds of its life")
	}
	if !leaf(t, open(t, dir, Options{Clock: now.now})).Equal(second) {
		t.Error("the renewed one is not on disk")
	}
	os.RemoveAll(dir) // a certificate that cannot be kept still serves
	now.add(61 * 24 * time.Hour)
	if leaf(t, s).Equal(second) {
		t.Error("not renewed without a disk")
	}
}

func TestANewNameIssuesANewCertificate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "identity")
	first := leaf(t, open(t, dir, Options{}))
	second := leaf(t, open(t, dir, Options{Hosts: []string{"relay.example.com"}}))
	if second.Equal(first) || second.VerifyHostname("relay.example.com") != nil {
		t.Error("not valid for its new name")
	}
	if !leaf(t, open(t, dir, Options{})).Equal(second) {
		t.Error("issued again though it covers every name")
	}
}

func TestALostServerCertificateIsIssuedAgain(t *testing.T) {
	for name, text := range map[string]string{"gone": "",
		"damaged": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "identity")
			first := open(t, dir, Options{})
			os.Remove(filepath.Join(dir, serverFile))
			if text != "" {
				os.WriteFile(filepath.Join(dir, serverFile), []byte(text), 0o600)
			}
			if _, err := leaf(t, open(t, dir, Options{})).Verify(x509.VerifyOptions{Roots: first.Pool()}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsWrongIsSaidWithTheNextStep(t *testing.T) {
	for _, tc := range []struct {
		name string
		harm func(t *testing.T, dir string)
		opt  Options
		want []string
	}{
		{"the key is readable by others",
			func(t *testing.T, dir string) {
				must(t,
					os.Chmod(filepath.Join(dir, caKeyFile), 0o644))
			}, Options{}, []string{"mode 0644", "chmod 600"}},
		{"the key is gone", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, caKeyFile))) }, Options{},
			[]string{"ca.key is missing", "restore it"}},
		{"the certificate is gone", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, caCertFile))) },
			Options{}, []string{"no ca.crt", "restore it"}},
		{"key and certificate of two authorities", func(t *testing.T, dir string) {
			other := filepath.Join(t.TempDir(), "identity")
			open(t, other, Options{})
			must(t, os.Rename(filepath.Join(other, caKeyFile), filepath.Join(dir, caKeyFile)))
		}, Options{}, []string{"from one backup"}},
		{"a server certificate in the authority's place", func(t *testing.T, dir string) {
			text, err := os.ReadFile(filepath.Join(dir, serverFile))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, caCertFile), text, 0o644))
			must(t, os.WriteFile(filepath.Join(dir, caKeyFile), text, 0o600))
		}, Options{}, []string{"not a certificate authority"}},
		{"a clock that is ten years late", func(*testing.T, string) {},
			Options{Clock: func() time.Time { return time.Now().AddDate(11, 0, 0) }}, []string{"valid from", "clock says",
				"correct the clock"}},
		{"a name that is none", func(*testing.T, string) {}, Options{Hosts: []string{"relay example"}},
			[]string{`"relay example"`, "host names and IP addresses"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "identity")
			open(t, dir, Options{})
			tc.harm(t, dir)
			_, err := Open(dir, tc.opt)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %q", want, err)
				}
			}
		})
	}
}

func TestLeftoversOfKilledStartsAreSwept(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "identity")
	open(t, dir, Options{})
	old, young := filepath.Join(base, tempPrefix+"old"), filepath.Join(dir, tempPrefix+"young")
	must(t, os.Mkdir(old, 0o700))
	must(t, os.WriteFile(young, nil, 0o600))
	must(t, os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)))
	open(t, dir, Options{})
	if _, err := os.Stat(old); err == nil {
		t.Error("the old one stays")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("a start that may still run was disturbed")
	}
}

func TestFilesOfOthersAreTakenWhenRenewed(t *testing.T) {
	dir, now := t.TempDir(), &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	first, second := issue(t), issue(t)
	put := func(text []byte, age time.Duration) {
		for _, path := range []string{cert, key} {
			must(t, os.WriteFile(path, text, 0o600))
			must(t, os.Chtimes(path, time.Time{}, now.now().Add(age)))
		}
	}
	put(first, 0)
	f, err := OpenFiles(cert, key, Options{Clock: now.now})
	if err != nil {
		t.Fatal(err)
	}
	was := leaf(t, f)
	put(second, time.Second)
	if !leaf(t, f).Equal(was) {
		t.Error("looked at once")
	}
	now.add(time.Minute)
	is := leaf(t, f)
	if is.Equal(was) {
		t.Error("not taken after a minute")
	}
	put([]byte("half a file"), 2*time.Second)
	now.add(time.Minute)
	if !leaf(t, f).Equal(is) {
		t.Error("an unreadable pair took the place of a good one")
	}
	if _, err := OpenFiles(cert, key, Options{}); err == nil || !strings.Contains(err.Error(), cert) {
		t.Errorf("got %v", err)
	}
	if _, err := OpenFiles(filepath.Join(dir, "none"), key, Options{}); err == nil {
		t.Error("opened what is not there")
	}
}

// issue is the text of a fresh pair.
func issue(t *testing.T) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "identity")
	open(t, dir, Options{})
	text, err := os.ReadFile(filepath.Join(dir, serverFile))
	must(t, err)
	return text
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A handshake takes the certificate as it is: the signature was checked when it was read, and costs more than all the
// rest.
func TestAHandshakeChecksNoSignature(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "identity"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { _, _ = s.Certificate(nil) }); n > 0 {
		t.Errorf("%v allocations for a certificate that is there", n)
	}
}

func BenchmarkCertificate(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "identity"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Certificate(nil); err != nil {
			b.Fatal(err)
		}
	}
}
