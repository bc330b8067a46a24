package agent

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// Memory keeps what a client keeps in memory, for simulated clients and tests: a restart of the process forgets it.
type Memory struct {
	cabinet
	records *memoryEngine // the cabinet's
}

// NewMemory returns an empty store whose first serial is last+1. It keeps no list of what was sent.
func NewMemory(last uint64) *Memory {
	m := &memoryEngine{}
	if last > 0 {
		m.restore(Image{{[]byte{keyMeta}, (&meta{serial: last}).record()}})
	}
	return &Memory{cabinet: cabinet{engine: m}, records: m}
}

// LastSerial is the last serial given to a message.
func (m *Memory) LastSerial() uint64 {
	m.records.mu.Lock()
	defer m.records.mu.Unlock()
	known, _ := readMeta(m.records.shelf.get([]byte{keyMeta})) // what is in memory reads without a fault
	return known.serial
}

// KeepSent makes the store keep the latest n messages that were sent.
func (m *Memory) KeepSent(n int) { m.sentKept = uint64(max(n, 0)) }

// Image is a copy of everything a client keeps.
type Image []record

type record struct{ key, value []byte }

// Image returns a copy of the whole store, to restore it from.
func (m *Memory) Image() (Image, error) { return m.records.image(), nil }

// Restore makes the store what it was when the image was made, as when a machine is restored from a backup. A nil image empties
// it, as when the client is installed anew. An Agent on this store must be made anew afterwards.
func (m *Memory) Restore(image Image) error {
	m.records.restore(image)
	return nil
}

// memoryEngine is an engine without a disk.
type memoryEngine struct {
	// Guarded by mu.
	mu    sync.Mutex
	shelf memoryShelf
}

// memoryShelf is records by key, ascending within their kind: what joins the end of a line finds nothing behind it to move. A value
// is replaced, never changed.
type memoryShelf struct {
	kinds [len(keyKinds)][]record
	undo  []record // what the running update changed, as it was; nil value = there was none
}

func (m *memoryEngine) view(fn func(shelf) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fn(&m.shelf)
}

func (m *memoryEngine) update(fn func(shelf) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := fn(&m.shelf)
	undo := m.shelf.undo
	m.shelf.undo = nil
	if err == nil {
		return nil
	}
	for _, was := range slices.Backward(undo) {
		m.shelf.set(was.key, was.value)
	}
	return err
}

func (m *memoryEngine) image() (image Image) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, records := range m.shelf.kinds {
		image = append(image, records...)
	}
	return image
}

func (m *memoryEngine) restore(image Image) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shelf = memoryShelf{}
	for _, r := range image {
		m.shelf.set(r.key, r.value)
	}
}

// kind is the records of a key's kind.
func (s *memoryShelf) kind(key []byte) *[]record {
	return &s.kinds[strings.IndexByte(keyKinds, key[0])]
}

func find(records []record, key []byte) (int, bool) {
	return slices.BinarySearchFunc(records, key, func(r record, key []byte) int { return bytes.Compare(r.key, key) })
}

func (s *memoryShelf) get(key []byte) []byte {
	records := *s.kind(key)
	if at, found := find(records, key); found {
		return records[at].value
	}
	return nil
}

func (s *memoryShelf) put(key, value []byte) error {
	s.undo = append(s.undo, record{bytes.Clone(key), s.get(key)})
	s.set(key, bytes.Clone(value))
	return nil
}

func (s *memoryShelf) delete(key []byte) error {
	if old := s.get(key); old != nil {
		s.undo = append(s.undo, record{bytes.Clone(key), old})
		s.set(key, nil)
	}
	return nil
}

// set puts a record, or removes it when value is nil.
func (s *memoryShelf) set(key, value []byte) {
	records := s.kind(key)
	at, found := find(*records, key)
	switch {
	case value == nil && found && len(*records) == 1:
		*records = nil // a line that is empty again gives back its room
	case value == nil && found:
		*records = slices.Delete(*records, at, at+1)
	case value == nil:
	case found:
		(*records)[at].value = value
	default:
		*records = slices.Insert(*records, at, record{bytes.Clone(key), value})
	}
}

func (s *memoryShelf) ascend(prefix []byte, fn func(key, value []byte) (bool, error)) error {
	records := *s.kind(prefix)
	at, _ := find(records, prefix)
	for _, r := range records[at:] {
		if !bytes.HasPrefix(r.key, prefix) {
			return nil
		}
		if more, err := fn(r.key, r.value); err != nil || !more {
			return err
		}
	}
	return nil
}
