package store_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"statewire/store"
	"statewire/store/storetest"
)

func TestQueriesOfTheSourcesRunAsPrinted(t *testing.T) {
	s := storetest.New(t)
	insert(t, t.Context(), s,
		message{Client: 1, Serial: 1, Topic: 700, State: 2, Hash: 1, Received: 1_000_000}, // completed at 1 s
		message{Client: 2, Serial: 1, Topic: 700, State: 2, Hash: 2, Received: 9_000_000},
		message{Client: 3, Serial: 1, Topic: 500, State: 1, Hash: 3},
		message{Client: 4, Serial: 1, Topic: 500, State: 1, Hash: 4},
		// A counter that went back: the completion with the lower serial came later.
		message{Client: 5, Serial: 900, Topic: 700, State: 2, Hash: 5, Received: 1_000_000},
		message{Client: 5, Serial: 3, Topic: 700, State: 2, Hash: 6, Received: 8_000_000},
		message{Client: 5, Serial: 900, Topic: 700, State: 2, Hash: 5, Received: 20_000_000}, // a repeat of the older one
	)
	for client, issued := range map[int]time.Duration{1: 5, 2: 5, 3: 5, 5: 9} {
		exec(t, s, fmt.Sprintf("INSERT INTO resyncs (client_id, issued_time, reason) VALUES ('%s', %s, 'gap')",
			clientID(byte(client)), after(issued*time.Second)))
	}
	tests := []struct {
		name, sql string
		want      uint64
	}{
		{"issued after the last completion",
			"select count(*) from SR_ClientMessageStats where LastResyncIssuedTime is not null and (LastResyncIssuedTime > " +
				"LastResyncClientCompletedTime)", 2},
		{"issued and never completed",
			"select count(*) from SR_ClientMessageStats where LastResyncIssuedTime is not null and " +
				"LastResyncClientCompletedTime is null", 1},
	}
	for _, tt := range tests {
		if got := count(t, s, tt.sql); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	const servers = "INSERT INTO notification_servers (server_id, server_name, online_clients, updated_time) VALUES"
	exec(t, s, servers+" (1, 'MP1', 42, "+after(0)+"), (2, 'MP2', NULL, "+after(0)+")",
		servers+" (1, 'MP1', 43, "+after(5*time.Second)+")")
	const present = "INSERT INTO client_presence (client_id, online_status, server_id, version) VALUES "
	for client, online := range []int{1, 0, 1, 1} {
		exec(t, s, fmt.Sprintf(present+"('%s', %d, 1, %d)", clientID(byte(client)), online, 10+client))
	}
	exec(t, s, fmt.Sprintf(present+"('%s', 0, 1, 20)", clientID(3))) // it went
	page, err := os.ReadFile("../docs/channel.md")
	if err != nil {
		t.Fatal(err)
	}
	_, documented, _ := strings.Cut(string(page), "```sql\n")
	documented, _, _ = strings.Cut(documented, "```")
	countsByServer(t, s, `select B.ServerName, A.OnlineClients as "Online Clients" from Bgb_Server B left join `+
		`dbo.v_BgbServerCurrent A on A.ServerID=B.ServerID order by 2`)
	countsByServer(t, s, documented)
}

// countsByServer runs the query for the clients of each server.
func countsByServer(t *testing.T, s *store.Store, query string) {
	t.Helper()
	rows, err := s.Conn().Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var name string
		var online *uint64
		if err := rows.Scan(&name, &online); err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
		if name == "MP1" && (online == nil || *online != 2) || name == "MP2" && online != nil {
			t.Errorf("%s has %v clients online", name, online)
		}
	}
	if len(got) != 2 || rows.Err() != nil {
		t.Errorf("servers %v, %v", got, rows.Err())
	}
}
