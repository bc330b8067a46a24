package site

import (
	"context"
	"crypto/tls"

	"golang.org/x/sync/errgroup"

	"statewire/identity"
	"statewire/relay"
)

// startListeners starts what clients call: the relay, which listens before anything else, and the notifier.
func (s *Site) startListeners(ctx context.Context, g *errgroup.Group) error {
	if s.cfg.Roles.Has("notifier") {
		if err := s.makeNotifier(ctx); err != nil {
			return err
		}
	}
	if s.cfg.Roles.Has("relay") {
		if err := s.startRelay(ctx, g); err != nil {
			return err
		}
	}
	if s.cfg.Roles.Has("notifier") {
		if err := s.startNotifier(ctx, g); err != nil {
			return err
		}
	}
	for _, renew := range s.renewals {
		g.Go(func() error { return renew(ctx) })
	}
	return nil
}

// readiness is what keeps the listeners of this process from being ready; nil when nothing does.
func (s *Site) readiness() func(context.Context) error {
	if s.relay == nil && s.notifier == nil {
		return nil
	}
	return func(context.Context) error {
		if s.relay != nil {
			if err := s.relay.Ready(); err != nil {
				return err
			}
		}
		if s.notifier != nil {
			return s.notifier.Ready()
		}
		return nil
	}
}

// startRelay listens before anything else: reports are taken while the store opens, and even when it does not.
func (s *Site) startRelay(ctx context.Context, g *errgroup.Group) error {
	certificate, err := s.certificate(ctx, "relay")
	if err != nil {
		return err
	}
	callers, err := identity.NewVerifier(IdentityDir(s.cfg.Data), s.cfg.Settings.Identity.RenewGrace,
		identity.Options{Log: s.log})
	if err != nil {
		return err
	}
	r, err := relay.New(s.cfg.Settings.Relay, relay.Deps{
		Inbox: s.inbox, Certificate: certificate, Callers: callers, Denied: callers, Enrolment: s.enrolment(),
		Policies: &s.policies,
		Refused:  RefusedFile(s.cfg.Data), Channel: s.channel(), ChannelClients: s.channelClients(),
		Log: s.log.With("stage", "relay"), Registerer: s.registry,
	})
	if err != nil {
		return err
	}
	addr, err := r.Listen()
	if err != nil {
		return err
	}
	s.addresses.Relay = "https://" + reachable(addr)
	s.relay = r
	g.Go(func() error { return r.Run(ctx) })
	return nil
}

// channel answers clients that wait at the relay: this process's notifier, or that of another one.
func (s *Site) channel() relay.Channel {
	if s.notifier != nil {
		return s.notifier
	}
	return newChannelProxy(NotifierSocket(s.cfg.Data))
}

// certificateSource yields the certificate of a TLS listener.
type certificateSource = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// certificate is the configured one, or the site's own.
func (s *Site) certificate(ctx context.Context, role string) (certificateSource, error) {
	if s.cfg.Settings.Relay.TLSCert != "" {
		files, err := identity.OpenFiles(s.cfg.Settings.Relay.TLSCert, s.cfg.Settings.Relay.TLSKey,
			identity.Options{Log: s.log})
		if err != nil {
			return nil, err
		}
		return files.Certificate, nil
	}
	s.addresses.CAFile = identity.CAFile(IdentityDir(s.cfg.Data))
	if s.identity != nil {
		return s.identity.Site.Certificate, nil
	}
	return s.issuedCertificate(ctx, role)
}
