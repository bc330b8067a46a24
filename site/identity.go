package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"statewire/audit"
	"statewire/configs"
	"statewire/identity"
	"statewire/internal/backoff"
	"statewire/internal/control"
	"statewire/relay"
	"statewire/resync"
	"statewire/trust"
)

const (
	// firstTokenLife is how long the first client has to enrol with the line that a first start gives.
	firstTokenLife = 24 * time.Hour
	// certificateWait is how long a relay waits for the process with the identity role to make its certificate.
	certificateWait = 2 * time.Minute
	// startWait is how long a client that enrols waits for the resync stage of a site that starts.
	startWait = 15 * time.Second
	startLook = 50 * time.Millisecond
	// roleLook is how often a role's certificate is looked at: it is due, or another authority is in force.
	roleLook = time.Minute
	// certificateWarning is how much life a certificate has left when a relay begins to say that nobody renews it.
	certificateWarning = 20 * 24 * time.Hour
)

// Identity is what the process with the identity role has open: nobody else reads the authority's key.
type Identity struct {
	*identity.Service

	Site      *identity.Site
	Keys      *trust.Keys
	Audit     *audit.Log
	APITokens *identity.APITokens
	Trust     *identity.Trust
}

// Clients says what clients have sent, and when they polled.
type Clients interface {
	identity.Serials
	identity.Polls
}

// OpenIdentity opens the identity role of a data directory, and makes its keys where there are none. The caller has
// the role's lock.
func OpenIdentity(data string, cfg configs.Config, clients Clients, lists identity.Lists, log *slog.Logger,
	reg prometheus.Registerer) (_ *Identity, err error) {
	i := &Identity{}
	dir := IdentityDir(data)
	if i.Site, err = identity.Open(dir, identity.Options{Log: log, Hosts: cfg.Relay.Hosts}); err != nil {
		return nil, err
	}
	site := i.Site.ID().String()
	if i.Keys, err = trust.OpenKeys(TrustDir(data), trust.Options{Site: site, Log: log}); err != nil {
		return nil, err
	}
	if i.Audit, err = audit.Open(AuditDir(data), audit.Options{Site: site, Log: log, Registerer: reg}); err != nil {
		return nil, err
	}
	i.Service, err = identity.New(cfg.Identity, cfg.Enroll, identity.Deps{Site: i.Site, Audit: i.Audit,
		Serials: clients, Polls: clients, Lists: lists, Trust: i.Keys, Log: log})
	if err != nil {
		return nil, errors.Join(err, i.Audit.Close())
	}
	i.Trust = identity.NewTrust(i.Service, i.Keys)
	if i.APITokens, err = identity.NewAPITokens(i.DB(), i.Audit, nil, log); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

// Close gives everything back.
func (i *Identity) Close() error { return errors.Join(i.Service.Close(), i.Audit.Close()) }

// startIdentity runs the identity role. It starts before the relay, which needs its certificate.
func (s *Site) startIdentity(ctx context.Context, g *errgroup.Group) error {
	own, err := s.openIdentity(s.registry)
	if err == nil {
		s.identity = own
		s.closers = append(s.closers, own.Close)
		return s.serveIdentity(ctx, g, own)
	}
	if _, missing := os.Stat(identity.ServerFile(IdentityDir(s.cfg.Data))); missing != nil || !s.cfg.Roles.Has("relay") {
		return err
	}
	s.log.Error("the identity role does not start; reports of known clients are taken, nobody gets a certificate, and no "+
		"action of a person is done", "retry_in", s.retry(), "err", err)
	g.Go(func() error { return s.retryIdentity(ctx) })
	return nil
}

func (s *Site) openIdentity(reg prometheus.Registerer) (*Identity, error) {
	return OpenIdentity(s.cfg.Data, s.cfg.Settings, s.clients(), s.lists(), s.log.With("stage", "identity"), reg)
}

// retryIdentity tries to start the role until it starts, and then runs it. The other stages reach it by its socket.
func (s *Site) retryIdentity(ctx context.Context) error {
	for {
		if backoff.Sleep(ctx, s.retry()) != nil {
			return nil
		}
		own, err := s.openIdentity(nil)
		if err != nil {
			s.log.Warn("the identity role does not start yet", "retry_in", s.retry(), "err", err)
			continue
		}
		g, gctx := errgroup.WithContext(ctx)
		err = s.serveIdentity(gctx, g, own)
		if err == nil {
			s.log.Info("the identity role has started")
		} else {
			g.Go(func() error { return err }) // it ends what has started
		}
		return errors.Join(g.Wait(), own.Close())
	}
}

// serveIdentity answers the site's other stages and processes, and commands, until ctx is done.
func (s *Site) serveIdentity(ctx context.Context, g *errgroup.Group, own *Identity) error {
	handler, err := identityCalls(own).handler(s.cfg.Data)
	if err != nil {
		return err
	}
	ln, err := control.Listen(IdentitySocket(s.cfg.Data))
	if err != nil {
		return err
	}
	serveHTTP(ctx, g, ln, handler)
	s.tokens.own.Store(own.APITokens)
	s.registry.MustRegister(own.Collector())
	g.Go(func() error { return own.Run(ctx) })
	return nil
}

// identityCalls is what the socket of the identity role serves.
func identityCalls(i *Identity) *calls {
	served := newCalls(identity.AtIdentity)
	i.Service.Handle(served)
	i.APITokens.Handle(served)
	audit.Serve(served, i.Audit)
	i.Trust.Handle(served)
	return served
}

// enrolment gives out certificates: this process, or the one with the role.
func (s *Site) enrolment() relay.Enrolment {
	if s.identity != nil {
		return s.identity
	}
	return identity.Dial(IdentitySocket(s.cfg.Data))
}

// issuedCertificate is the one that the process with the identity role made and renews. A relay that starts first waits
// for it.
func (s *Site) issuedCertificate(ctx context.Context, role string) (certificateSource, error) {
	dir := IdentityDir(s.cfg.Data)
	if slices.Contains(splitRoles(s.cfg.Data), role) {
		return s.roleCertificate(ctx, role)
	}
	path := identity.ServerFile(dir)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && s.cfg.Settings.Relay.Auth == relay.AuthNone &&
		Holder(s.cfg.Data, "identity") == 0 {
		// A relay for this machine alone, on a new data directory: it needs a certificate, and nobody's identity.
		own, err := identity.Open(dir, identity.Options{Log: s.log, Hosts: s.cfg.Settings.Relay.Hosts})
		if err != nil {
			return nil, err
		}
		return own.Certificate, nil
	}
	for deadline := time.Now().Add(certificateWait); ; {
		files, err := identity.OpenFiles(path, path, identity.Options{Log: s.log})
		if err == nil {
			s.warnUnrenewed(files)
			return files.Certificate, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			return nil, fmt.Errorf("%w; the process with the identity role makes it: start `statewire serve --roles identity` "+
				"on this data directory, or set relay.tls_cert and relay.tls_key", err)
		}
		if err := backoff.Sleep(ctx, commandLook); err != nil {
			return nil, err
		}
	}
}

// roleCertificate is that of a role which has a user of its own: this process has its key, and has it renewed.
func (s *Site) roleCertificate(ctx context.Context, role string) (certificateSource, error) {
	dir := IdentityDir(s.cfg.Data)
	authority := identity.Dial(IdentitySocket(s.cfg.Data))
	for deadline := time.Now().Add(certificateWait); ; {
		err := identity.RefreshRole(ctx, dir, role, s.cfg.Settings.Relay.Hosts, authority, time.Now())
		if err == nil {
			break
		}
		path := identity.RoleFile(dir, role)
		files, err2 := identity.OpenFiles(path, path, identity.Options{Log: s.log})
		if err2 == nil { // one that is good still; it is renewed when the identity role is back
			s.warnUnrenewed(files)
			break
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w; the process with the identity role issues it: start `statewire serve --roles identity` "+
				"on this data directory", err)
		}
		if err := backoff.Sleep(ctx, commandLook); err != nil {
			return nil, err
		}
	}
	path := identity.RoleFile(dir, role)
	files, err := identity.OpenFiles(path, path, identity.Options{Log: s.log})
	if err != nil {
		return nil, err
	}
	s.renewLater(role, files, authority)
	return files.Certificate, nil
}

// renewLater has a role's certificate renewed for as long as this process runs.
func (s *Site) renewLater(role string, files *identity.Files, authority identity.RoleAuthority) {
	dir, hosts := IdentityDir(s.cfg.Data), s.cfg.Settings.Relay.Hosts
	s.renewals = append(s.renewals, func(ctx context.Context) error {
		for backoff.Sleep(ctx, backoff.Jitter(roleLook, 2*roleLook)) == nil {
			if err := identity.RefreshRole(ctx, dir, role, hosts, authority, time.Now()); err != nil && ctx.Err() == nil {
				s.log.Warn("the role's certificate is renewed later", "role", role, "err", err)
				s.warnUnrenewed(files)
			}
		}
		return nil
	})
}

// ownRole is the certificate of a role that this process gives itself, because it has the authority.
func (s *Site) ownRole(ctx context.Context, role string) (certificateSource, error) {
	path := identity.RoleFile(IdentityDir(s.cfg.Data), role)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of a role's certificate: %w", err)
	}
	authority := ownAuthority{s.identity.Service, role}
	err := identity.RefreshRole(ctx, IdentityDir(s.cfg.Data), role, s.cfg.Settings.Relay.Hosts, authority, time.Now())
	if err != nil {
		return nil, err
	}
	files, err := identity.OpenFiles(path, path, identity.Options{Log: s.log})
	if err != nil {
		return nil, err
	}
	s.renewLater(role, files, authority)
	return files.Certificate, nil
}

// ownAuthority certifies a role of the process that has the authority.
type ownAuthority struct {
	*identity.Service
	role string
}

// IssueRole implements identity.RoleAuthority.
func (o ownAuthority) IssueRole(ctx context.Context, in trust.RenewRequest) (trust.RenewAnswer, error) {
	return o.Service.IssueRole(control.WithPeer(ctx, control.Peer{UID: os.Getuid(), Role: o.role}), in)
}

// warnUnrenewed says that a certificate is about to end: the process that renews it may not be running.
func (s *Site) warnUnrenewed(files *identity.Files) {
	pair, err := files.Certificate(nil)
	if err == nil && time.Until(pair.Leaf.NotAfter) < certificateWarning {
		s.log.Warn("the relay's certificate ends soon; the process with the identity role renews it", "until",
			pair.Leaf.NotAfter)
	}
}

// clients tells the identity role of clients: it asks this process's resync stage, or that of another one.
func (s *Site) clients() Clients {
	if s.cfg.Roles.Has("resync") {
		return ownClients{s}
	}
	return otherClients{resync.Dial(ResyncSocket(s.cfg.Data))}
}

type ownClients struct{ site *Site }

func (o ownClients) NextSerial(ctx context.Context, client uuid.UUID, last uint64) (uint64, bool, error) {
	service, err := o.site.awaitService(ctx)
	if err != nil {
		return 0, false, err
	}
	next, err := service.NextSerial(ctx, client, last)
	return next.Next, next.Known, err
}

func (o ownClients) Polled(ctx context.Context, since time.Time) ([]uuid.UUID, error) {
	service, err := o.site.awaitService(ctx)
	if err != nil {
		return nil, err
	}
	return service.Polled(ctx, since)
}

// awaitService is the resync stage, which opens the store and so starts after the relay: clients that enrol meanwhile
// wait for it rather than for their next try.
func (s *Site) awaitService(ctx context.Context) (*resync.Service, error) {
	for deadline := time.Now().Add(startWait); ; {
		if service := s.resync.Load(); service != nil {
			return service, nil
		}
		if time.Now().After(deadline) {
			return nil, errNoPolicies
		}
		if err := backoff.Sleep(ctx, startLook); err != nil {
			return nil, err
		}
	}
}

type otherClients struct{ *resync.Client }

func (o otherClients) NextSerial(ctx context.Context, client uuid.UUID, last uint64) (uint64, bool, error) {
	next, err := o.Client.NextSerial(ctx, client, last)
	return next.Next, next.Known, err
}

// giveFirstSteps gives, once in a site's life, the command that enrols its first client.
func (s *Site) giveFirstSteps(ctx context.Context) {
	if s.identity == nil || s.addresses.Relay == "" || s.cfg.Settings.Relay.Auth != relay.AuthMTLS {
		return
	}
	token, err := s.identity.FirstToken(ctx, firstTokenLife)
	if err != nil || token == "" {
		if err != nil {
			s.log.Error("no enrolment token for a first client was made", "err", err)
		}
		return
	}
	text := fmt.Sprintf("echo %s | statewire agent enroll --relay %s --token-file -", token, relayURL(s.addresses.Relay))
	if s.cfg.FirstSteps != nil {
		s.cfg.FirstSteps(text)
		return
	}
	path := FirstSteps(s.cfg.Data)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		s.log.Error("the line that enrols a first client is not written", "err", err)
		return
	}
	s.log.Info("a first client enrols with the line in this file, within a day", "file", path)
}

// relayURL is the relay's address as other machines reach it: by this machine's name where it listens everywhere.
func relayURL(address string) string {
	host, err := os.Hostname()
	_, port, err2 := net.SplitHostPort(address[len("https://"):])
	if err == nil && err2 == nil && address == "https://localhost:"+port {
		return "https://" + net.JoinHostPort(host, port)
	}
	return address
}

// EnrollToken has the running site on a data directory make a token for so many clients, those that reported before
// among them.
func EnrollToken(ctx context.Context, data string, uses int) (trust.Token, error) {
	made, err := identity.Dial(IdentitySocket(data)).CreateToken(ctx, identity.TokenSpec{Uses: uses,
		Expires: firstTokenLife, Adopt: true})
	if err != nil {
		return trust.Token{}, fmt.Errorf("make an enrolment token: %w", err)
	}
	return trust.ParseToken(made.Text)
}
