package fleet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"statewire/internal/parse"
	"statewire/trust"
)

// Config describes a simulated fleet. The same config gives the same clients, who raise the same states in the same
// order.
type Config struct {
	// Clients is how many clients are simulated. Default 500; 1 to 100,000.
	Clients int
	// Relay is the address reports go to, such as https://127.0.0.1:8443; the paths /mp/reports and /mp/policy are
	// added. No default.
	Relay string
	// TLS trusts the relay; nil uses the system's roots.
	TLS *tls.Config
	// Token is what clients that have no certificate enrol with, before they live; a client that has one goes on with it.
	// Default nil: they enrol nowhere.
	Token *trust.Token
	// Channel lets clients that have a certificate connect to the notifier. Default true.
	Channel bool
	// Notifier is its address for clients whose policy names none, as host:port. Default empty: the relay's host, port
	// 10123.
	Notifier string
	// Seed decides everything that looks like chance. Default 1.
	Seed uint64
	// Start is the wall time at which Run starts; zero takes the clock when the fleet is made. The clients' clocks go on
	// from it as the wall's does, however fast simulated time runs.
	Start time.Time

	// PatchDay is the real time in which 24 simulated hours pass. Default 20m; 1s to 24h. Once it is over, time runs as
	// it is, unless For is set.
	PatchDay time.Duration
	// For is how long the clients raise states, in real time. Default 0: until Run's ctx ends, or not at all if Settle
	// is set.
	For time.Duration
	// Settle is for how long, after For, nothing is raised and no fault happens: the clients poll their policies, do
	// what these ask for, and send what waits. Run ends once nothing waits any more. Default 0: Run ends with For.
	Settle time.Duration
	// SendInterval is the clients' send cycle in simulated time. Default 15m; at least 1s.
	SendInterval time.Duration
	// PolicyInterval is the real time between two policy polls of a client. Default 1m; at least 100ms, 0 never polls.
	PolicyInterval time.Duration
	// Senders bounds the requests under way at once. Default 16.
	Senders int

	// Loss is the share of reports, and of policy polls, that vanish; of a report the client believes that it was sent.
	// Default 0.002.
	Loss float64
	// Duplicate is the share of reports that are sent twice. Default 0.01.
	Duplicate float64
	// Reorder is the share of reports that arrive after their successor. Default 0.002.
	Reorder float64
	// Delay is the share of reports that arrive late, by up to DelayBy. Default 0.
	Delay float64
	// DelayBy is the longest delay, in real time. Default 10s.
	DelayBy time.Duration
	// Damage is the share of reports in which one record arrives damaged. Default 0.002.
	Damage float64

	// Reinstall is the share of clients that lose their store once during a run: their serials begin at 1 again.
	// Default 0.
	Reinstall float64
	// Restore is the share of clients that find themselves, once during a run, with the store they had hours before.
	// Default 0.
	Restore float64
	// ClockJump is the share of clients whose wall clock jumps by years, once during a run, either way. Default 0.
	ClockJump float64
	// SerialJumps is of how many clients the counter of serials jumps to 10^15, once during a run. Default 0.
	SerialJumps int
	// FalseClaims is of how many clients somebody claims a serial near the end of all with every poll, from some moment
	// on. Default 0.
	FalseClaims int
	// Silent is the share of clients that went silent weeks before Run and never say anything. Default 0.04.
	Silent float64
	// Leave is the share of clients that go silent during the patch day. Default 0.02.
	Leave float64
}

// DefaultConfig returns the demo's fleet, without an address.
func DefaultConfig() Config {
	return Config{
		Clients: 500, Channel: true, Seed: 1, PatchDay: 20 * time.Minute, SendInterval: 15 * time.Minute,
		PolicyInterval: time.Minute,
		Senders:        16, Loss: 0.002, Duplicate: 0.01, Reorder: 0.002, DelayBy: 10 * time.Second, Damage: 0.002,
		Silent: 0.04, Leave: 0.02,
	}
}

// Validate reports every field out of range.
func (c Config) Validate() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	_, err := parse.URL(c.Relay, "https", "http")
	refuse(err != nil, "fleet relay: %w", err)
	refuse(c.Token != nil && !strings.HasPrefix(c.Relay, "https:"), "fleet relay is %.80q; clients enrol over https",
		c.Relay)
	if c.Notifier != "" {
		_, _, err := parse.Dial(c.Notifier)
		refuse(err != nil, "fleet notifier: %w", err)
	}
	refuse(c.Clients < 1 || c.Clients > 100_000, "fleet clients is %d; allowed is 1 to 100000", c.Clients)
	refuse(c.PatchDay < time.Second || c.PatchDay > simulatedDay, "fleet patch day is %v; allowed is 1s to 24h",
		c.PatchDay)
	refuse(c.For < 0, "fleet for is %v; allowed is 0 or more", c.For)
	refuse(c.Settle < 0, "fleet settle is %v; allowed is 0 or more", c.Settle)
	refuse(c.SendInterval < time.Second, "fleet send interval is %v; allowed is 1s or more", c.SendInterval)
	refuse(c.PolicyInterval != 0 && c.PolicyInterval < 100*time.Millisecond,
		"fleet policy interval is %v; allowed is 0, or 100ms or more", c.PolicyInterval)
	refuse(c.Senders < 1 || c.Senders > 1024, "fleet senders is %d; allowed is 1 to 1024", c.Senders)
	refuse(c.SerialJumps < 0 || c.SerialJumps > c.Clients, "fleet serial-jump is %d; allowed is 0 to the number of "+
		"clients", c.SerialJumps)
	refuse(c.FalseClaims < 0 || c.FalseClaims > c.Clients, "fleet false-claim is %d; allowed is 0 to the number of "+
		"clients", c.FalseClaims)
	refuse(c.DelayBy < 0, "fleet delay-by is %v; allowed is 0 or more", c.DelayBy)
	for _, s := range []struct {
		name  string
		share float64
	}{
		{"loss", c.Loss}, {"duplicate", c.Duplicate}, {"reorder", c.Reorder}, {"delay", c.Delay}, {"damage", c.Damage},
		{"reinstall", c.Reinstall}, {"restore", c.Restore}, {"clock-jump", c.ClockJump}, {"silent", c.Silent},
		{"leave", c.Leave},
	} {
		refuse(!(s.share >= 0 && s.share <= 1), "fleet %s is %v; allowed is 0 to 1", s.name, s.share)
	}
	return errors.Join(errs...)
}

// ends says whether Run ends by itself.
func (c Config) ends() bool { return c.For > 0 || c.Settle > 0 }

// fast is for how long, in real time, the simulated clock runs fast.
func (c Config) fast() time.Duration {
	if c.ends() {
		return c.For
	}
	return c.PatchDay
}
