package reports_test

import (
	"testing"
	"time"

	"statewire/reports/reportstest"
)

type presence = reportstest.Presence

// connectedSite has two notification servers with clients of every kind.
func connectedSite(t *testing.T) *reportstest.Site {
	s := reportstest.NewSite(t)
	s.NotificationServer(1, "push1", 3*time.Minute)
	s.NotificationServer(2, "push2", 20*time.Minute)
	s.NotificationServer(3, "push3", 0)
	s.Exec("INSERT INTO notification_servers (server_id, server_name, updated_time, silent, reported_time) VALUES " +
		"(2, 'push2', now64(6) + 1, 1, now64(6) - 1200), (3, 'push3', now64(6) + 1, 0, 0)")
	for n := 1; n <= 9; n++ {
		s.Client(n, 9, time.Duration(n)*hour)
	}
	const refused, timeout = "tcp push1:10123: connection refused", "tcp push1:10123: i/o timeout"
	s.Presence(
		presence{Client: 1, Online: true, Since: 5 * hour, Heard: 5 * hour, Address: "10.0.0.7", Reason: "signin"},
		presence{Client: 2, Online: true, HTTP: true, Since: 4 * hour, Heard: 4 * hour, Reason: "signin", Why: timeout},
		presence{Client: 3, Since: 3 * hour, Heard: 4 * hour, Reason: "silent"},
		presence{Client: 4, Server: 2, Since: 2 * hour, Heard: 2 * hour, Reason: "server_lost"},
		presence{Client: 5, Online: true, HTTP: true, Since: hour, Heard: hour, Reason: "signin", Why: refused},
		presence{Client: 6, Online: true, HTTP: true, Since: hour, Heard: hour, Reason: "duplicate", Why: refused},
		presence{Client: 7, HTTP: true, Since: hour, Heard: hour, Reason: "closed", Why: timeout},
		presence{Client: 8, Online: true, HTTP: true, Since: hour, Heard: hour, Reason: "signin", Why: timeout})
	s.Presence(presence{Client: 8, Server: 2, Since: 2 * hour, Heard: 2 * hour, Reason: "closed"}) // the greater version
	return s
}

func TestPresenceOfClientsIsListed(t *testing.T) {
	s := connectedSite(t)
	r := s.Runner()
	columns := []string{"netbios_name", "is", "channel", "server", "since", "reason", "why_http", "address"}
	expect(t, lines(s.All(r, "presence", nil), columns...), `
PC-0005 | online | HTTP | push1 | `+s.At(hour)+` | signin | tcp push1:10123: connection refused | 
PC-0006 | online | HTTP | push1 | `+s.At(hour)+` | duplicate | tcp push1:10123: connection refused | 
PC-0007 | offline | HTTP | push1 | `+s.At(hour)+` | closed | tcp push1:10123: i/o timeout | 
PC-0004 | offline | TCP | push2 | `+s.At(2*hour)+` | server_lost |  | 
PC-0008 | offline | TCP | push2 | `+s.At(2*hour)+` | closed |  | 
PC-0003 | offline | TCP | push1 | `+s.At(3*hour)+` | silent |  | 
PC-0002 | online | HTTP | push1 | `+s.At(4*hour)+` | signin | tcp push1:10123: i/o timeout | 
PC-0001 | online | TCP | push1 | `+s.At(5*hour)+` | signin |  | 10.0.0.7`)
	expect(t, lines(s.All(r, "presence", map[string]string{"client": "pc-0003"}), "client_id", "last_heard"),
		id(3).String()+" | "+s.At(4*hour))
	for _, c := range []struct{ param, value, want string }{
		{"is", "offline", "PC-0007\nPC-0004\nPC-0008\nPC-0003"}, {"is", "online", "PC-0005\nPC-0006\nPC-0002\nPC-0001"},
		{"channel", "TCP", "PC-0004\nPC-0008\nPC-0003\nPC-0001"}, {"server", "PUSH2", "PC-0004\nPC-0008"},
		{"reason", "closed", "PC-0007\nPC-0008"}, {"client", id(4).String(), "PC-0004"},
	} {
		expect(t, lines(s.All(r, "presence", map[string]string{c.param: c.value}), "netbios_name"), c.want)
	}
	s.Exec("INSERT INTO client_retirements (client_id, state, retired_time, retired_by, reason, version) VALUES ('" +
		id(5).String() + "', 'retired', now64(6), 'anna', 'sold', 1)")
	expect(t, lines(s.All(r, "presence", map[string]string{"is": "online"}), "netbios_name"), "PC-0006\nPC-0002\nPC-0001")
	expect(t, lines(s.All(r, "http-reasons", nil), "why_http", "clients", "percent"), `
tcp push1:10123: connection refused | 1 | 33.3
tcp push1:10123: i/o timeout | 1 | 33.3`)
	expect(t, lines(s.All(r, "notification-servers", nil), "server", "online", "http"),
		"push1 | 3 | 2\npush2 | 0 | 0\npush3 | 0 | 0")
}

func TestNotificationServersAreListedWithTheirClients(t *testing.T) {
	s := connectedSite(t)
	rows := s.All(s.Runner(), "notification-servers", nil)
	expect(t, lines(rows, "server", "is", "online", "tcp", "http", "offline", "lost", "server_id", "epoch"), `
push1 | reporting | 4 | 1 | 3 | 2 | 0 | 1 | 7
push2 | silent | 0 | 0 | 0 | 1 | 1 | 2 | 0
push3 | new | 0 | 0 | 0 | 0 | 0 | 3 | 0`)
	if rows[0]["last_report"] != s.At(3*time.Minute) || rows[2]["last_report"] != "" {
		t.Errorf("last reports: %v", rows)
	}
	expect(t, lines(s.All(s.Runner(), "http-reasons", nil), "why_http", "clients", "percent"), `
tcp push1:10123: connection refused | 2 | 50
tcp push1:10123: i/o timeout | 1 | 25`)
}

// Who reports or asks for its policy and has no connection is listed; who was not heard of lately, or was retired, is
// not.
func TestClientsThatAreThereWithoutAConnectionAreListed(t *testing.T) {
	s := connectedSite(t)
	s.Client(20, 9, 30*hour)
	s.Polled(20, 9, 0, 0, 20*time.Minute)
	s.Client(21, 9, 30*hour)
	rows := s.All(s.Runner(), "offline-clients", nil)
	expect(t, lines(rows, "netbios_name", "connected", "since", "reason", "why_http"), `
PC-0020 | never |  |  | 
PC-0003 | offline | `+s.At(3*hour)+` | silent | 
PC-0004 | offline | `+s.At(2*hour)+` | server_lost | 
PC-0007 | offline | `+s.At(hour)+` | closed | tcp push1:10123: i/o timeout
PC-0008 | offline | `+s.At(2*hour)+` | closed | 
PC-0009 | never |  |  | `)
	if rows[0]["last_sign"] != s.At(20*time.Minute) {
		t.Errorf("last sign %s", rows[0]["last_sign"])
	}
	for connected, want := range map[string]string{"never": "PC-0020\nPC-0009",
		"offline": "PC-0003\nPC-0004\nPC-0007\nPC-0008"} {
		expect(t, lines(s.All(s.Runner(), "offline-clients", map[string]string{"connected": connected}), "netbios_name"),
			want)
	}
	expect(t, lines(s.All(s.Runner(), "never-connected", nil), "clients"), "3")
	s.Exec("INSERT INTO client_retirements (client_id, state, retired_time, retired_by, reason, version) VALUES ('" +
		id(9).String() + "', 'retired', now64(6), 'anna', 'sold', 1)")
	expect(t, lines(s.All(s.Runner(), "offline-clients", map[string]string{"hours": "5"}), "netbios_name"),
		"PC-0020\nPC-0003\nPC-0004")
	expect(t, lines(s.All(s.Runner(), "never-connected", nil), "clients"), "2")
}

func TestTimesOfConnectionsAreListed(t *testing.T) {
	s := connectedSite(t)
	s.WasConnected(1, 9*hour, 8*hour, 1, "reset")
	s.WasConnected(1, 9*hour, 7*hour, 1, "silent") // learned later
	s.WasConnected(1, 7*hour, 6*hour, 2, "replaced")
	s.WasConnected(1, 100*day, 91*day, 3, "closed")
	s.WasConnected(2, 7*hour, 6*hour, 2, "closed")
	r := s.Runner()
	expect(t, lines(s.All(r, "presence-history", map[string]string{"client": "PC-0001"}), "channel", "server", "from_time",
		"to_time", "seconds", "reason"), `
TCP | push1 | `+s.At(7*hour)+` | `+s.At(6*hour)+` | 3600 | replaced
TCP | push1 | `+s.At(9*hour)+` | `+s.At(7*hour)+` | 7200 | silent`)
}

// Status messages are listed, heartbeats are not; what was written twice is one message.
func TestStatusMessagesAreListed(t *testing.T) {
	s := connectedSite(t)
	const into = "INSERT INTO component_status (time, component, host, event, text, message_id) VALUES "
	for range 2 {
		s.Exec(into + "('" + s.Micros(hour)[:23] + "', 'SMS_NOTIFICATION_MANAGER', 'h', 'status', 'silent', 9812)")
	}
	s.Exec(into + "('" + s.Micros(2 * hour)[:23] + "', 'SMS_NOTIFICATION_SERVER', 'h', 'status', 'started', 9800)," +
		" ('" + s.Micros(3 * hour)[:23] + "', 'SMS_STATE_SYSTEM', 'h', 'heartbeat', '', 0)," +
		" ('" + s.Micros(200 * hour)[:23] + "', 'SMS_NOTIFICATION_SERVER', 'h', 'status', 'old', 9800)")
	r := s.Runner()
	expect(t, lines(s.All(r, "component-messages", nil), "component", "message_id", "text"), `
SMS_NOTIFICATION_MANAGER | 9812 | silent
SMS_NOTIFICATION_SERVER | 9800 | started`)
	expect(t, lines(s.All(r, "component-messages", map[string]string{"component": "SMS_NOTIFICATION_SERVER",
		"hours": "0"}),
		"text"), "started\nold")
}
