package notifier

import (
	"fmt"
	"sync"
	"time"

	"statewire/notifier/wire"
)

const (
	// messagePause is how long one message is not told again.
	messagePause = 10 * time.Minute
	// messagesKept bounds those that no manager has taken; the oldest go.
	messagesKept = 100
)

// messages are the component status messages of the server, until the manager has them.
type messages struct {
	// Constant after newMessages.
	now    func() time.Time
	steady *steady

	// Guarded by mu.
	mu   sync.Mutex
	last map[string]time.Duration
	out  []wire.ComponentMessage
}

func newMessages(now func() time.Time, steady *steady) *messages {
	return &messages{now: now, steady: steady, last: map[string]time.Duration{}}
}

// say tells something, at most once in ten minutes for one id and what it is about.
func (m *messages) say(id int, about, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := fmt.Sprintf("%d %s", id, about)
	now := m.steady.now()
	if last, ok := m.last[key]; ok && now-last < messagePause {
		return
	}
	m.last[key] = now
	m.out = append(m.out, wire.ComponentMessage{Component: wire.ServerComponent, ID: id, Time: m.now().UTC(),
		Text: fmt.Sprintf(format, args...)})
	if len(m.out) > messagesKept {
		m.out = m.out[len(m.out)-messagesKept:]
	}
}

// take gives what nobody has taken.
func (m *messages) take() []wire.ComponentMessage {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.out
	m.out = nil
	return out
}

// putBack keeps what did not get through.
func (m *messages) putBack(out []wire.ComponentMessage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out = append(out, m.out...)
}
