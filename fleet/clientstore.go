package fleet

import (
	"sync"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/agent/channel"
	"statewire/agent/credentials"
	"statewire/smx"
)

// stores is where a fleet's clients keep what they hold.
type stores interface {
	// open returns a client's store, empty when the client is new.
	open(client smx.ClientID) (clientStore, error)
	// identity is where a client keeps its credentials.
	identity(client smx.ClientID) credentials.Store
}

// clientStore is a client's store, of which images can be taken.
type clientStore interface {
	agent.Store
	Image() (cache.Image, error)
	Restore(image cache.Image) error
	Continue(last uint64) error
	channel.Sessions
}

// watched remembers the report under way, so that the line knows what it carries.
type watched struct {
	clientStore
	report *cache.Report
}

// Pending implements agent.Store.
func (w *watched) Pending() (report *cache.Report, err error) {
	report, err = w.clientStore.Pending()
	w.report = report
	return report, err
}

// Pack implements agent.Store.
func (w *watched) Pack(p cache.Packing) (report *cache.Report, err error) {
	report, err = w.clientStore.Pack(p)
	w.report = report
	return report, err
}

// memoryStores keeps stores in memory: they end with the process.
type memoryStores struct {
	mu     sync.Mutex
	stores map[smx.ClientID]*cache.Memory // Guarded by mu.
}

func newMemoryStores() *memoryStores { return &memoryStores{stores: map[smx.ClientID]*cache.Memory{}} }

func (m *memoryStores) open(client smx.ClientID) (clientStore, error) { return m.get(client), nil }

func (m *memoryStores) get(client smx.ClientID) *cache.Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stores[client] == nil {
		m.stores[client] = cache.NewMemory(0)
	}
	return m.stores[client]
}
