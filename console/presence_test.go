package console

import (
	"strings"
	"testing"

	"statewire/reports/reportstest"
)

// The dashboard says how clients are connected, why they use HTTP, and of whose clients nothing is known.
func TestTheDashboardShowsHowClientsAreConnected(t *testing.T) {
	s := patchDay(t)
	h := handler(t, s)
	body := get(t, h, "/panels/channel").Body.String()
	for _, want := range []string{`<a href="/reports/presence?channel=TCP&amp;is=online">TCP</a>`, `>HTTP</a>`,
		`>Offline</a>`,
		`<a href="/reports/presence?reason=server_lost">Not known</a>`,
		"push2 sends no report of presence: what its clients do",
		"30 % of the connected clients use HTTP.",
		`<td class="num">3</td><td><a href="/reports/http-reasons">tcp push1:10123: connect: connection refused</a>`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	// They add up with the 240 clients of the site.
	for label, count := range map[string]string{"TCP": "7", "HTTP": "3", "Offline": "1", "Not known": "1",
		"Never connected": "228"} {
		_, row, _ := strings.Cut(body, ">"+label+"</a>")
		row, _, _ = strings.Cut(row, "</tr>")
		if !strings.Contains(row, ">"+count+"<") {
			t.Errorf("%s: not %s in %s", label, count, row)
		}
	}
	if !strings.Contains(body, `<a href="/reports/never-connected">Never connected</a>`) {
		t.Errorf("no link to those that were never connected: %s", body)
	}
	s.Exec("TRUNCATE TABLE client_presence SYNC")
	h = handler(t, s)
	if body := get(t, h, "/panels/channel").Body.String(); strings.Contains(body, "use HTTP") ||
		strings.Contains(body, "Not known") {
		t.Errorf("without clients: %s", body)
	}
	s.Exec("TRUNCATE TABLE notification_servers SYNC")
	h = handler(t, s)
	if body := get(t, h, "/panels/channel").Body.String(); !strings.Contains(body, "No notification server has reported") {
		t.Errorf("without a server: %s", body)
	}
}

func TestAClientsPageShowsItsConnection(t *testing.T) {
	s := reportstest.NewSite(t)
	for n := 1; n <= 5; n++ {
		s.Client(n, 9, hour)
	}
	h := handler(t, s.Seed, watched(s))
	tile := func(client int) string {
		_, body, _ := strings.Cut(get(t, h, "/clients/"+id(client).String()).Body.String(),
			`<span class="label">Connection</span>`)
		body, _, _ = strings.Cut(body, "</li>")
		return body
	}
	if got := tile(1); got != "" {
		t.Errorf("on a site without a server: %s", got)
	}
	s.NotificationServer(1, "push1", 0)
	s.Presence(reportstest.Presence{Client: 1, Online: true, Since: 2 * hour, Heard: hour, Reason: "signin"},
		reportstest.Presence{Client: 2, Online: true, HTTP: true, Since: 2 * hour, Heard: hour, Reason: "signin"},
		reportstest.Presence{Client: 3, Since: 2 * hour, Heard: 3 * hour, Reason: "silent"},
		reportstest.Presence{Client: 4, Since: 2 * hour, Heard: 3 * hour, Reason: "server_lost"})
	for client, want := range map[int]string{1: `>TCP</span><span class="note">push1, for 2 h<`,
		2: `>HTTP</span><span class="note">push1, for 2 h<`, 3: `>offline</span><span class="note">for 2 h: silent<`,
		4: `>–</span><span class="note">not known: its server is silent<`, 5: `>–</span><span class="note">never connected<`} {
		if got := tile(client); !strings.Contains(got, want) {
			t.Errorf("client %d: %s", client, got)
		}
	}
}
