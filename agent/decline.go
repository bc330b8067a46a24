package agent

import (
	"fmt"

	"statewire/agent/cache"
	"statewire/smx/policy"
)

// AcceptSerial makes the client continue from a serial that a policy named and that it declined.
func (a *Agent) AcceptSerial(next uint64) error {
	if err := a.store.AcceptSerial(next); err != nil {
		return fmt.Errorf("accept serial %d: %w", next, err)
	}
	a.log.Info("declined serial accepted: sending the whole cache from there", "client", a.id.Client, "next_serial", next)
	a.SendNow()
	return nil
}

// spent notes that there is no serial left, the first time in the log, and tells whoever waits for the states to be
// sent.
func (a *Agent) spent() {
	a.mu.Lock()
	first := !a.usedUp
	a.usedUp = true
	a.contact.attempts++
	a.contact.problem = cache.ErrUsedUp.Error()
	a.mu.Unlock()
	if first {
		a.log.Error("serials are used up, nothing is sent any more", "client", a.id.Client, "err", cache.ErrUsedUp)
	}
}

// tellDeclined logs that a new request named a serial that was not taken.
func (a *Agent) tellDeclined(kept cache.PolicyState, request *policy.Resync) {
	sum, err := a.store.Summary()
	if err != nil || !kept.Fresh(request) || sum.Declined.NextSerial != request.NextSerial {
		return
	}
	a.log.Warn("serial to continue from declined: it is far above this client's own; the answer goes on with its own "+
		"serials",
		"client", a.id.Client, "number", request.Number, "next_serial", request.NextSerial, "last_serial", sum.LastSerial)
}
