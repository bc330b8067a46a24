package reportstest

import (
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Presence is what the notification manager's mirror has of one client; Server 0 is 1.
type Presence struct {
	Client               int
	Online, HTTP         bool
	Server               uint32
	Since, Heard         time.Duration // since when it is online, or offline
	Address, Reason, Why string
}

// Presence stores rows as the mirror does; a later call's row of a client replaces an earlier one's.
func (s *Site) Presence(list ...Presence) {
	s.T.Helper()
	for _, p := range list {
		s.presenceVersion++
		began := p.Since
		if !p.Online {
			began += 2 * Day
		}
		s.Exec(fmt.Sprintf("INSERT INTO client_presence (client_id, online_status, channel_type, last_status_time, server_id, "+
			"session, seq, since, last_heard, address, reason, why, version) VALUES ('%s', %d, %d, '%s', %d, 7, 1, '%s', '%s', "+
			"{address:String}, {reason:String}, {why:String}, %d)", ID(p.Client), bit(p.Online), bit(p.HTTP),
			s.Micros(p.Since), max(1, p.Server), s.Micros(began), s.Micros(p.Heard), s.presenceVersion),
			clickhouse.Named("address", p.Address), clickhouse.Named("reason", p.Reason), clickhouse.Named("why", p.Why))
	}
}

func bit(b bool) int {
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
