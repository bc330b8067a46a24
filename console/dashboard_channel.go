package console

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// httpReasons is how many reasons for HTTP the dashboard names.
const httpReasons = 3

// fillChannel shows how clients are connected, why they use HTTP, and which servers say nothing.
func (s *Server) fillChannel(ctx context.Context, p *web.Panel) error {
	servers, err := s.snapshots.get(ctx, "notification-servers", nil)
	if err != nil {
		return err
	}
	if len(servers) == 0 {
		p.Empty = "No notification server has reported yet: the role notifier runs one."
		return nil
	}
	never, err := s.snapshots.get(ctx, "never-connected", nil)
	if err != nil {
		return err
	}
	p.Bars = channelBars(servers, never)
	if silent := silentServers(servers); silent != "" {
		p.Notes = append(p.Notes, web.Note{Text: silent, Tone: web.ToneBad})
	}
	return s.addHTTPReasons(ctx, p, servers)
}

// channelBars counts the clients of all servers, and those that never were at one.
func channelBars(servers, never []reports.Record) *web.BarList {
	list := &web.BarList{Rows: []web.Bar{
		{Label: "TCP", Tone: web.ToneGood, Link: presenceLink("is", "online", "channel", "TCP")},
		{Label: "HTTP", Tone: web.ToneGood, Link: presenceLink("is", "online", "channel", "HTTP")},
		{Label: "Offline", Tone: web.TonePlain, Link: presenceLink("is", "offline")},
	}}
	lost := web.Bar{Label: "Not known", Tone: web.ToneBad, Link: presenceLink("reason", "server_lost")}
	for _, server := range servers {
		for i, column := range []string{"tcp", "http", "offline"} {
			list.Rows[i].Count += server.Count(column)
		}
		lost.Count += server.Count("lost")
	}
	without := web.Bar{Label: "Never connected", Tone: web.TonePlain, Link: "/reports/never-connected"}
	for _, version := range never {
		without.Count += version.Count("clients")
	}
	for _, bar := range []web.Bar{lost, without} {
		if bar.Count > 0 {
			list.Rows = append(list.Rows, bar)
		}
	}
	for _, row := range list.Rows {
		list.Total += row.Count
	}
	for i := range list.Rows {
		list.Rows[i].Percent = 100 * float64(list.Rows[i].Count) / float64(max(1, list.Total))
	}
	return list
}

func presenceLink(pairs ...string) string {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	return "/reports/presence?" + query.Encode()
}

// silentServers names the servers of whose clients nothing is known.
func silentServers(servers []reports.Record) string {
	var names []string
	for _, server := range servers {
		if server.Text("is") == "silent" {
			names = append(names, tabular.Shorten(server.Text("server"), 40))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s no report of presence: what %s clients do is not known.",
		strings.Join(names, ", "), humanize.Plural(len(names), "sends", "send"), humanize.Plural(len(names), "its", "their"))
}

// addHTTPReasons says which share uses HTTP, and what TCP met most often.
func (s *Server) addHTTPReasons(ctx context.Context, p *web.Panel, servers []reports.Record) error {
	online, overHTTP := 0, 0
	for _, server := range servers {
		online, overHTTP = online+server.Count("online"), overHTTP+server.Count("http")
	}
	if overHTTP == 0 {
		return nil
	}
	reasons, err := s.snapshots.get(ctx, "http-reasons", nil)
	if err != nil {
		return err
	}
	p.Notes = append(p.Notes,
		web.Note{Tone: web.TonePlain, Text: fmt.Sprintf("%s of the connected clients use HTTP. What "+
			"TCP met, as they say:", humanize.Percent(100*float64(overHTTP)/float64(online)))})
	p.Table = &web.Table{Columns: []web.Column{{Name: "clients", Numeric: true}, {Name: "why_http"}}}
	for _, row := range reasons[:min(len(reasons), httpReasons)] {
		why := web.Cell{Text: tabular.Shorten(row.Text("why_http"), 120), Link: "/reports/http-reasons"}
		if why.Text == "" {
			why.Text = "(it does not say)"
		}
		p.Table.Rows = append(p.Table.Rows, []web.Cell{numberCell(row, "clients"), why})
	}
	return nil
}
