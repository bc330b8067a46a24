package agent

import (
	"sync"

	"statewire/smx"
)

// rack is where a fleet's clients keep their stores.
type rack interface {
	// open returns a client's store, empty when the client is new.
	open(client smx.ClientID) (vault, error)
}

// vault is a client's store, of which images can be taken.
type vault interface {
	store
	Image() (Image, error)
	Restore(image Image) error
	Continue(last uint64) error
}

// watched remembers the report under way, so that the line knows what it carries.
type watched struct {
	vault
	report *Report
}

// Pending implements store.
func (w *watched) Pending() (report *Report, err error) {
	report, err = w.vault.Pending()
	w.report = report
	return report, err
}

// Pack implements store.
func (w *watched) Pack(p Packing) (report *Report, err error) {
	report, err = w.vault.Pack(p)
	w.report = report
	return report, err
}

// memoryRack keeps stores in memory: they end with the process.
type memoryRack struct {
	mu     sync.Mutex
	stores map[smx.ClientID]*Memory // Guarded by mu.
}

func newMemoryRack() *memoryRack { return &memoryRack{stores: map[smx.ClientID]*Memory{}} }

func (m *memoryRack) open(client smx.ClientID) (vault, error) { return m.get(client), nil }

func (m *memoryRack) get(client smx.ClientID) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stores[client] == nil {
		m.stores[client] = NewMemory(0)
	}
	return m.stores[client]
}
