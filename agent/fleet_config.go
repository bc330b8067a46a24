package agent

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"time"

	"statewire/smx"
)

// FleetConfig describes a simulated fleet. The same config (and a fixed Start) gives the same clients and the same reports.
type FleetConfig struct {
	// Clients is how many clients are simulated. Default 500; 1 to 100,000.
	Clients int
	// Relay is the address reports go to, such as https://127.0.0.1:8443; the path /mp/reports is added. No default.
	Relay string
	// TLS trusts the relay; nil uses the system's roots.
	TLS *tls.Config
	// Seed decides everything that looks like chance. Default 1.
	Seed uint64
	// Start is the wall time at which Run starts; zero takes the clock when the fleet is made. Simulated times end up at it.
	Start time.Time
	// PatchDay is the real time in which 24 simulated hours pass; afterwards time runs as it is. Default 20m; 1s to 24h.
	PatchDay time.Duration
	// SendInterval is the clients' send cycle in simulated time. Default 15m; at least 1s.
	SendInterval time.Duration
	// Senders bounds the reports under way at once. Default 16.
	Senders int
	// Loss is the share of reports that vanish though the client believes them sent. Default 0.002.
	Loss float64
	// Duplicate is the share of reports that are sent twice. Default 0.01.
	Duplicate float64
	// Reorder is the share of reports that arrive after their successor. Default 0.002.
	Reorder float64
	// Damage is the share of reports in which one record arrives damaged. Default 0.002.
	Damage float64
	// Continue tells the last serial the site knows of a client, so that a second run over the same site goes on after it.
	// Nil starts everybody at serial 1.
	Continue func(client smx.ClientID) uint64
}

// DefaultFleetConfig returns the demo's fleet, without an address.
func DefaultFleetConfig() FleetConfig {
	return FleetConfig{
		Clients: 500, Seed: 1, PatchDay: 20 * time.Minute, SendInterval: 15 * time.Minute, Senders: 16,
		Loss: 0.002, Duplicate: 0.01, Reorder: 0.002, Damage: 0.002,
	}
}

// Validate reports every field out of range.
func (c FleetConfig) Validate() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	u, err := url.Parse(c.Relay)
	refuse(err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"),
		"fleet relay is %q; give an address such as https://127.0.0.1:8443", c.Relay)
	refuse(c.Clients < 1 || c.Clients > 100_000, "fleet clients is %d; allowed is 1 to 100000", c.Clients)
	refuse(c.PatchDay < time.Second || c.PatchDay > simulatedDay, "fleet patch day is %v; allowed is 1s to 24h", c.PatchDay)
	refuse(c.SendInterval < time.Second, "fleet send interval is %v; allowed is 1s or more", c.SendInterval)
	refuse(c.Senders < 1 || c.Senders > 1024, "fleet senders is %d; allowed is 1 to 1024", c.Senders)
	for _, s := range []struct {
		name  string
		share float64
	}{{"loss", c.Loss}, {"duplicate", c.Duplicate}, {"reorder", c.Reorder}, {"damage", c.Damage}} {
		refuse(!(s.share >= 0 && s.share <= 1), "fleet %s is %v; allowed is 0 to 1", s.name, s.share)
	}
	return errors.Join(errs...)
}
