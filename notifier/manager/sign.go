package manager

import (
	"crypto/ed25519"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
	"statewire/trust"
)

// signer is the task key for a short while: its files are not read for each task.
type signer struct {
	id   string
	key  ed25519.PrivateKey
	site uuid.UUID
	read time.Time
}

// signer is the task key; nil while there is none.
func (m *Manager) signer(now time.Time) *signer {
	m.signing.Lock()
	defer m.signing.Unlock()
	if s := m.signs; s != nil && now.Sub(s.read).Abs() < signerKept {
		return s
	}
	if m.deps.TaskKey == nil {
		return nil
	}
	var site uuid.UUID
	id, key, err := m.deps.TaskKey()
	if err == nil {
		site, err = m.deps.Site()
	}
	if err != nil {
		if text := err.Error(); text != m.signTold {
			m.signTold = text
			m.log.Error("tasks cannot be signed; they wait, and clients get no signed time", "err", err)
		}
		return nil
	}
	m.signTold = ""
	m.signs = &signer{id, key, site, now}
	return m.signs
}

// request is the envelope of a task for one client: always the same bytes under the same key.
func (s *signer) request(t *task, client uuid.UUID, index uint32) ([]byte, error) {
	return trust.SignEnvelope(wire.RequestType, t.request(s.site, client, index).Encode(), s.id, s.key)
}

// cancel is the envelope that takes a task back from one client.
func (s *signer) cancel(t *task, client uuid.UUID, at time.Time) ([]byte, error) {
	payload := wire.CancelMessage{Task: t.ID, Site: s.site, Client: client, Issued: at}.Encode()
	return trust.SignEnvelope(wire.CancelType, payload, s.id, s.key)
}

// request is what one client is asked to do.
func (t *task) request(site, client uuid.UUID, index uint32) wire.RequestMessage {
	return wire.RequestMessage{TaskID: t.Number, Task: t.ID, Type: t.Type, Site: site, Client: client, Issued: t.Issued,
		NotAfter: t.NotAfter, Delay: t.delay(index), Timeout: t.Timeout, Pack: t.Pack, PackVersion: t.PackVersion,
		PackHash: t.PackHash, Name: t.Name, Parameters: t.Parameters}
}

// delay spreads the targets evenly over the task's time, and never beyond it: targets that are erased leave those
// behind them where they are.
func (t *task) delay(index uint32) time.Duration {
	if t.Spread <= 0 || t.Counts.Targets == 0 {
		return 0
	}
	at := t.Spread / time.Duration(t.Counts.Targets) * time.Duration(index)
	return min(at, t.Spread).Truncate(time.Second)
}

// envelopeBytes is about how long the envelope of a task is.
func envelopeBytes(t *task) int {
	n := 1200
	for _, p := range t.Parameters {
		n += len(p.Name) + len(p.Value)
	}
	return n * 4 / 3
}
