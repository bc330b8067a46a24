package cache

import (
	"bytes"
	"slices"
	"strings"
	"sync"
)

// Memory keeps what a client keeps in memory, for simulated clients and tests: a restart of the process forgets it.
type Memory struct {
	store
	own *memoryEngine // the store's
}

// NewMemory returns an empty store whose first serial is last+1. It keeps no list of what was sent.
func NewMemory(last uint64) *Memory {
	m := &memoryEngine{}
	if last > 0 {
		m.restore(Image{{[]byte{keyMeta}, (&meta{serial: last}).record()}})
	}
	return &Memory{store: store{engine: m}, own: m}
}

// LastSerial is the last serial given to a message.
func (m *Memory) LastSerial() uint64 {
	m.own.mu.Lock()
	defer m.own.mu.Unlock()
	known, _ := readMeta(m.own.kept.get([]byte{keyMeta})) // what is in memory reads without a fault
	return known.serial
}

// KeepSent makes the store keep the latest n messages that were sent.
func (m *Memory) KeepSent(n int) { m.sentKept = uint64(max(n, 0)) }

// Image is a copy of everything a client keeps.
type Image []record

type record struct{ key, value []byte }

// Image returns a copy of the whole store, to restore it from.
func (m *Memory) Image() (Image, error) { return m.own.image(), nil }

// Restore makes the store what it was when the image was made, as when a machine is restored from a backup. A nil image
// empties it, as when the client is installed anew. An Agent on this store must be made anew afterwards.
func (m *Memory) Restore(image Image) error {
	m.own.restore(image)
	return nil
}

// memoryEngine is an engine without a disk.
type memoryEngine struct {
	// Guarded by mu.
	mu   sync.Mutex
	kept memoryRecords
}

// memoryRecords is records by key, ascending within their kind: what joins the end of a line finds nothing behind it to
// move. A value is replaced, never changed.
type memoryRecords struct {
	kinds [len(keyKinds)][]record
	undo  []record // what the running update changed, as it was; nil value = there was none
}

func (m *memoryEngine) view(fn func(records) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fn(&m.kept)
}

func (m *memoryEngine) update(fn func(records) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := fn(&m.kept)
	undo := m.kept.undo
	m.kept.undo = nil
	if err == nil {
		return nil
	}
	for _, was := range slices.Backward(undo) {
		m.kept.set(was.key, was.value)
	}
	return err
}

func (m *memoryEngine) image() (image Image) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, kind := range m.kept.kinds {
		image = append(image, kind...)
	}
	return image
}

func (m *memoryEngine) restore(image Image) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = memoryRecords{}
	for _, r := range image {
		m.kept.set(r.key, r.value)
	}
}

// kind is the records of a key's kind.
func (s *memoryRecords) kind(key []byte) *[]record {
	return &s.kinds[strings.IndexByte(keyKinds, key[0])]
}

func find(all []record, key []byte) (int, bool) {
	return slices.BinarySearchFunc(all, key, func(r record, key []byte) int { return bytes.Compare(r.key, key) })
}

func (s *memoryRecords) get(key []byte) []byte {
	all := *s.kind(key)
	if at, found := find(all, key); found {
		return all[at].value
	}
	return nil
}

func (s *memoryRecords) put(key, value []byte) error {
	s.undo = append(s.undo, record{bytes.Clone(key), s.get(key)})
	s.set(key, bytes.Clone(value))
	return nil
}

func (s *memoryRecords) delete(key []byte) error {
	if old := s.get(key); old != nil {
		s.undo = append(s.undo, record{bytes.Clone(key), old})
		s.set(key, nil)
	}
	return nil
}

// set puts a record, or removes it when value is nil.
func (s *memoryRecords) set(key, value []byte) {
	all := s.kind(key)
	at, found := find(*all, key)
	switch {
	case value == nil && found && len(*all) == 1:
		*all = nil // a line that is empty again gives back its room
	case value == nil && found:
		*all = slices.Delete(*all, at, at+1)
	case value == nil:
	case found:
		(*all)[at].value = value
	default:
		*all = slices.Insert(*all, at, record{bytes.Clone(key), value})
	}
}

func (s *memoryRecords) ascend(prefix []byte, fn func(key, value []byte) (bool, error)) error {
	all := *s.kind(prefix)
	at, _ := find(all, prefix)
	for _, r := range all[at:] {
		if !bytes.HasPrefix(r.key, prefix) {
			return nil
		}
		if more, err := fn(r.key, r.value); err != nil || !more {
			return err
		}
	}
	return nil
}
