package site

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"statewire/identity"
	"statewire/internal/backoff"
	"statewire/internal/control"
	"statewire/internal/durable"
	"statewire/notifier"
)

const (
	// usualPort is where clients look for a notifier that nobody told them of.
	usualPort = 10123
	// notifierLook is how often the resync stage looks where the notifier of another process listens.
	notifierLook = 2 * time.Second
)

// makeNotifier makes the notifier; it listens and runs with startNotifier.
func (s *Site) makeNotifier(ctx context.Context) error {
	certificate, err := s.certificate(ctx, "notifier")
	if err != nil {
		return err
	}
	callers, err := identity.NewVerifier(IdentityDir(s.cfg.Data), s.cfg.Settings.Identity.RenewGrace,
		identity.Options{Log: s.log})
	if err != nil {
		return err
	}
	if s.selfTest, err = s.makeSelfTest(ctx, certificate); err != nil {
		s.log.Warn("the notifier does not try whether it can be reached", "err", err)
	}
	s.notifier, err = notifier.New(s.cfg.Settings.Notifier, notifier.Deps{
		ServerID: serverID, Spool: NotifierSpool(s.cfg.Data), Box: PresenceBox(s.cfg.Data), Certificate: certificate,
		Callers: callers, Strangers: s.enrolment(), Manager: &s.manager, SelfTest: s.selfTest, OtherFiles: s.otherFiles(),
		Log: s.log.With("stage", "notifier"), Registerer: s.registry,
	})
	return err
}

// startNotifier listens. Across processes it answers the relay, too, and says where it listens.
func (s *Site) startNotifier(ctx context.Context, g *errgroup.Group) error {
	addr, err := s.notifier.Listen()
	if err != nil {
		return fmt.Errorf("%w; set notifier.listen to a free address, or leave the role out with --roles", err)
	}
	s.addresses.Notifier = reachable(addr)
	if s.selfTest != nil {
		s.selfTest.Notifier, s.selfTest.Channel = s.addresses.Notifier, s.channelURL()
	}
	if err := writePort(s.cfg.Data, addr); err != nil { // on a full disk the site starts all the same
		s.log.Error("clients may not learn where the notifier listens", "addr", addr.String(), "err", err)
	}
	if !s.cfg.Roles.Has("relay") {
		handler, err := channelCalls(s.notifier).handler(s.cfg.Data)
		if err != nil {
			return err
		}
		ln, err := control.Listen(NotifierSocket(s.cfg.Data))
		if err != nil {
			return err
		}
		serveHTTP(ctx, g, ln, until(ctx, handler))
	}
	g.Go(func() error { return s.notifier.Run(ctx) })
	return nil
}

// liveNotifier is the configuration that the notifier started with, with what may change while it runs. The manager,
// which may be another process, counts on the interval of presence files.
func liveNotifier(started, now notifier.Config) notifier.Config {
	started.KeepAlive, started.OfflineAfter = now.KeepAlive, now.OfflineAfter
	started.ThrottlePerSecond, started.HTTPHold = now.ThrottlePerSecond, now.HTTPHold
	return started
}

// channelURL is where the relay takes the channel's requests; empty where that is not known.
func (s *Site) channelURL() string {
	if s.addresses.Relay != "" {
		return s.addresses.Relay + channelPath
	}
	host, port, err := net.SplitHostPort(s.cfg.Settings.Relay.Listen)
	if err != nil || port == "0" {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "https://" + net.JoinHostPort(host, port) + channelPath
}

// makeSelfTest is how the notifier calls itself: as the role, with a certificate that the site gave this process. There
// is none where the listener shows a certificate of somebody else's authority, or another process has the site's.
func (s *Site) makeSelfTest(ctx context.Context, certificate certificateSource) (_ *notifier.SelfTest, err error) {
	switch split := slices.Contains(splitRoles(s.cfg.Data), "notifier"); {
	case s.cfg.Settings.Relay.TLSCert != "" || s.identity == nil && !split:
		return nil, nil
	case !split:
		if certificate, err = s.ownRole(ctx, "notifier"); err != nil {
			return nil, err
		}
	}
	return &notifier.SelfTest{TLS: func(host string) *tls.Config {
		roots := x509.NewCertPool()
		if text, err := identity.Trusted(IdentityDir(s.cfg.Data)); err == nil { // else nothing is believed
			roots.AppendCertsFromPEM(text)
		}
		return &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS13,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate(nil) }}
	}}, nil
}

// writePort says, to the site's other processes, at which port the notifier listens.
func writePort(data string, addr net.Addr) error {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return err
	}
	return writePortIn(NotifierPort(data), port)
}

func writePortIn(path, port string) error {
	if err := durable.Write(filepath.Dir(path), filepath.Base(path), ".port-", []byte(port+"\n"), 0o640); err != nil {
		return fmt.Errorf("say where the notifier listens: %w", err)
	}
	return nil
}

// readPort is the port of the notifier that runs on a data directory; 0 when none does.
func readPort(data string) (uint16, error) {
	if Holder(data, "notifier") == 0 {
		return 0, nil
	}
	return portIn(NotifierPort(data))
}

// portIn is the port that a file holds.
func portIn(path string) (uint16, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	port, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s holds no port", path)
	}
	return uint16(port), nil
}

// tellsClients has every client told where the notifier is, and wakes those that know otherwise.
type tellsClients interface{ NotifierAt(address string) }

// tellNotifier has clients told, with their policy, at which port the notifier is, when it is not the one they know. A
// notifier that is away for a moment is where it was. A start goes on from what was told before it: another port is a
// change, and the same one is none.
func (s *Site) tellNotifier(ctx context.Context, to tellsClients) {
	told, err := portIn(ToldPort(s.cfg.Data))
	if err == nil {
		to.NotifierAt(sayPort(told))
	} else if !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("where clients look for the notifier is not known; they learn it with their next poll", "err", err)
	}
	for {
		port, err := readPort(s.cfg.Data)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			s.log.Warn("where the notifier listens is not known", "err", err)
		}
		if port != 0 && port != told {
			to.NotifierAt(sayPort(port))
			told = port
			if err := writePortIn(ToldPort(s.cfg.Data), strconv.Itoa(int(port))); err != nil {
				s.log.Warn("the next start does not know what clients were told of the notifier", "err", err)
			}
		}
		if backoff.Sleep(ctx, notifierLook) != nil {
			return
		}
	}
}

// sayPort is what a policy says of a port: nothing of the usual one.
func sayPort(port uint16) string {
	if port == usualPort {
		return ""
	}
	return fmt.Sprintf(":%d", port)
}
