package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"

	"statewire/agent/transport"
)

// TLS is the settings towards the relay called host: the client shows its certificate of the moment, and believes the
// site's authorities besides those of base. Before it is enrolled it shows nothing, and base alone decides. base is
// what transport.Trust made of the configuration.
func (c *Credentials) TLS(base *tls.Config, host string) *tls.Config {
	cfg := base.Clone()
	cfg.InsecureSkipVerify = true // verify does it: the authorities change while the client runs
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.pair == nil {
			return &tls.Certificate{}, nil
		}
		return c.pair, nil
	}
	cfg.VerifyConnection = func(state tls.ConnectionState) error { return c.verify(base, host, state) }
	return cfg
}

// verify does what the handshake would, with the authorities of this moment, and then what base wants besides.
func (c *Credentials) verify(base *tls.Config, host string, state tls.ConnectionState) error {
	c.mu.Lock()
	believed := c.believed
	c.mu.Unlock()
	if len(believed) > 0 || !base.InsecureSkipVerify {
		roots := base.RootCAs
		if len(believed) > 0 && roots == nil {
			roots = x509.NewCertPool()
		} else if len(believed) > 0 {
			roots = roots.Clone()
		}
		for _, cert := range believed {
			roots.AddCert(cert)
		}
		chains, err := transport.VerifyServer(state, roots, host, c.now())
		if err != nil {
			return fmt.Errorf("the relay's certificate: %w", err)
		}
		state.VerifiedChains = chains
		c.met(chains)
	}
	if base.VerifyConnection != nil {
		return base.VerifyConnection(state)
	}
	return nil
}

// met forgets the former authorities once a relay proved itself by one that follows them.
func (c *Credentials) met(chains [][]*x509.Certificate) {
	c.mu.Lock()
	former := c.kept.Former != nil
	current, err := certificatesIn(c.kept.CA)
	c.mu.Unlock()
	if !former || err != nil {
		return
	}
	proved := slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool {
		return slices.ContainsFunc(current, chain[len(chain)-1].Equal)
	})
	if !proved {
		return
	}
	if err := c.replace(func(k *Kept) { k.Former = nil }); err != nil {
		c.log.Warn("former authorities not forgotten", "err", err)
	}
}
