package reportstest

import (
	"fmt"
	"time"
)

// Presence is what the notification manager's mirror has of one client; Server 0 is 1.
type Presence struct {
	Client               int
	Online, HTTP         bool
	Server               uint32
	Since, Heard         time.Duration // since when it is online, or offline
	Address, Reason, Why string
}

// Presence stores rows as the mirror does; a later row of a client replaces an earlier one.
func (s *Site) Presence(list ...Presence) {
	s.T.Helper()
	b, err := s.Store.Conn().PrepareBatch(s.Store.InsertContext(s.T.Context()), `INSERT INTO client_presence (client_id,
		online_status, channel_type, last_status_time, server_id, session, seq, since, last_heard, address, reason, why, version)`)
	if err != nil {
		s.T.Fatal(err)
	}
	for _, p := range list {
		s.presenceVersion++
		at, began := s.Now.Add(-p.Since), s.Now.Add(-p.Since)
		if !p.Online {
			began = began.Add(-2 * Day)
		}
		if err := b.Append(ID(p.Client), bit(p.Online), bit(p.HTTP), at, max(1, p.Server), uint64(7), uint64(1), began,
			s.Now.Add(-p.Heard), p.Address, p.Reason, p.Why, s.presenceVersion); err != nil {
			s.T.Fatal(err)
		}
	}
	if err := b.Send(); err != nil {
		s.T.Fatal(err)
	}
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// NotificationServer is one that reported so long ago.
func (s *Site) NotificationServer(number int, name string, ago time.Duration) {
	s.T.Helper()
	s.Exec(fmt.Sprintf("INSERT INTO notification_servers (server_id, server_name, online_clients, updated_time, epoch, "+
		"reported_time) VALUES (%d, '%s', 0, now64(6), 7, '%s')", number, name, s.Micros(ago)))
}

// WasConnected is a connection of a client to server 1, over TCP, and how it ended.
func (s *Site) WasConnected(client int, from, to time.Duration, session uint64, reason string) {
	s.T.Helper()
	s.presenceVersion++
	s.Exec(fmt.Sprintf("INSERT INTO presence_history (client_id, server_id, channel_type, session, from_time, to_time, "+
		"reason, version) VALUES ('%s', 1, 0, %d, '%s', '%s', '%s', %d)", ID(client), session, s.Micros(from), s.Micros(to),
		reason, s.presenceVersion))
}
