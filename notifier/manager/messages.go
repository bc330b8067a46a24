package manager

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"statewire/notifier/wire"
)

// tell has a status message kept, unless the same one was within the last ten minutes.
func (m *Manager) tell(message wire.ComponentMessage) error {
	return m.update(func(c *change) error {
		c.tell(message)
		return nil
	})
}

func (c *change) tell(message wire.ComponentMessage) {
	message.Time = fromMicro(micro(message.Time))
	message.Text = strings.ToValidUTF8(message.Text, "?")
	if len(message.Text) > maxTextBytes {
		end := maxTextBytes
		for !utf8.RuneStart(message.Text[end]) {
			end--
		}
		message.Text = message.Text[:end]
	}
	key := fmt.Sprintf("%s %d %s", message.Component, message.ID, message.Text)
	if _, now := c.told[key]; now {
		return
	}
	if at, ok := c.m.told[key]; ok && !expired(at, c.now) {
		return
	}
	for old, at := range c.m.told {
		if expired(at, c.now) && old != key {
			c.untold = append(c.untold, old)
		}
	}
	c.told[key] = c.now
	c.messages = append(c.messages, message)
}

// expired says whether a message may come again. A clock that was set back must not keep it for long.
func expired(at, now time.Time) bool { return now.Sub(at) >= tellAgain || now.Before(at) }
