package main

import (
	"fmt"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/internal/refusals"
	"statewire/site"
)

// refusedLately is how long a refusal that nothing followed wants to be looked at.
const refusedLately = 24 * time.Hour

// refusedCheck says of how many clients the relay refused the last report, and the latest of them. A folder in which no relay ran has
// no such line.
func (g *globals) refusedCheck(now time.Time) []check {
	all, err := refusals.Read(site.RefusedFile(g.Data))
	if err != nil {
		return []check{{"refused", cli.HealthUnknown, err.Error()}}
	}
	var latest refusals.Refusal
	clients := 0
	for _, r := range all {
		if r.Over() {
			continue
		}
		if clients++; r.Time.After(latest.Time) {
			latest = r
		}
	}
	switch {
	case all == nil:
		return nil
	case clients == 0:
		return []check{{"refused", cli.HealthOK, "a later report was taken of each client whose report was refused"}}
	}
	c := check{"refused", cli.HealthOK, fmt.Sprintf("the relay refused the last report of %s, the latest %s ago: %s; `statewire report refused-reports`",
		cli.FmtCount(clients, "client"), now.Sub(latest.Time).Round(time.Second), latest.Code)}
	if now.Sub(latest.Time) < refusedLately {
		c.health = cli.HealthWarning
	}
	return []check{c}
}
