package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/configs"
	"statewire/identity"
	"statewire/site"
)

// identityChecks says who has certificates, and what waits for a person. The running site is asked; where no process has
// the role there are no such lines.
func (g *globals) identityChecks(ctx context.Context, cfg configs.Config, now time.Time) []check {
	if site.Holder(g.Data, "identity") == 0 {
		return nil
	}
	sum, err := identity.Dial(site.IdentitySocket(g.Data)).Summary(ctx)
	if err != nil {
		return []check{{"identity", cli.HealthUnknown, err.Error()}}
	}
	ends := sum.ServerEnds
	if path := cfg.Relay.TLSCert; path != "" {
		pair, err := tls.LoadX509KeyPair(path, cfg.Relay.TLSKey)
		if err != nil {
			return []check{clientsCheck(sum), enrolmentCheck(sum),
				{"certificate", cli.HealthCritical, "the relay's certificate: " + err.Error()}}
		}
		ends = pair.Leaf.NotAfter
	}
	return []check{clientsCheck(sum), enrolmentCheck(sum), certificateCheck(ends, now, cfg.Relay.TLSCert == "")}
}

// clientsCheck counts clients by the state of their certificates. A shared one is a warning: two machines report as one.
func clientsCheck(sum identity.Summary) check {
	var parts []string
	for _, state := range []string{"enrolled", "expired", "revoked", "shared"} {
		if n := sum.States[state]; n > 0 || state == "enrolled" {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	c := check{"identity", cli.HealthOK, "clients with a certificate: " + strings.Join(parts, ", ")}
	if sum.States["shared"] > 0 {
		c.health = cli.HealthWarning
		c.detail += "; two machines have the key of each shared one: `statewire client list` names it, " +
			"`statewire client revoke` it and enrol both machines anew"
	}
	return c
}

// enrolmentCheck says what of enrolment waits for a person.
func enrolmentCheck(sum identity.Summary) check {
	c := check{"enrolment", cli.HealthOK, cli.FmtCount(sum.Tokens, "enrolment token") + " can be used"}
	if sum.Paused {
		c.health = cli.HealthWarning
		c.detail += "; enrolment is paused, clients wait: `statewire enroll resume`"
	}
	if sum.Pending > 0 {
		c.health = cli.HealthWarning
		c.detail += fmt.Sprintf("; %s for approval: `statewire enroll pending`",
			cli.FmtCount(sum.Pending, "enrolment")+waits(sum.Pending))
	}
	return c
}

func waits(n int) string {
	if n == 1 {
		return " waits"
	}
	return " wait"
}

// certificateSoon is the life that is left when somebody should look why a certificate was not renewed: the site renews
// its own with a third of 90 days left.
const certificateSoon = 20 * 24 * time.Hour

// certificateCheck says when the relay's certificate ends. own: the site renews it itself.
func certificateCheck(ends, now time.Time, own bool) check {
	c := check{"certificate", cli.HealthOK, "the relay's certificate is good until " + ends.Format(time.DateOnly)}
	advice := "; put the next one into relay.tls_cert and relay.tls_key"
	if own {
		advice = "; it was not renewed: the site's log says why"
	}
	switch left := ends.Sub(now); {
	case left <= 0:
		c.health, c.detail = cli.HealthCritical, "the relay's certificate ended at "+ends.Format(time.DateOnly)+
			", no client believes it"+advice
	case left <= certificateSoon:
		c.health = cli.HealthWarning
		c.detail += advice
	}
	return c
}
