package console

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/explain"
)

// fillCompleteTiles are what is odd about the fleet; a figure whose question fails shows a dash and the others stay.
func (s *Server) fillCompleteTiles(ctx context.Context, p *web.Panel) error {
	whole := web.Tile{Label: "Complete clients", Value: dash, Link: "/reports/client-completeness?only=all",
		Tone: web.TonePlain}
	lost := web.Tile{Label: "Missing messages", Value: dash, Link: "/reports/missing-ranges", Tone: web.TonePlain}
	back := web.Tile{Label: "Counters went back", Value: dash, Note: "clients, not settled yet",
		Link: "/reports/conflicts", Tone: web.TonePlain}
	differ := web.Tile{Label: "States differ", Value: dash, Note: "clients, nothing missing",
		Link: "/reports/differing-clients", Tone: web.TonePlain}
	if row, err := s.completeRow(ctx); err == nil && row != nil {
		if row["complete_percent"] != nil {
			share := row.Float("complete_percent")
			whole.Value, whole.Tone = completePercent(share), shareTone(share)
		}
		whole.Note = humanize.Number(row.Count("complete_clients")) + " of " + humanize.Number(row.Count("clients"))
		n := row.Float("missing")
		lost.Value, lost.Tone, lost.Note = shortNumber(n), countTone(int(min(n, 1)), web.ToneBusy), "nothing is missing"
		if ranges := row.Count("ranges"); ranges > 0 {
			lost.Note = "in " + humanize.Number(ranges) + humanize.Plural(ranges, " range", " ranges")
		}
		back.Value, back.Tone = humanize.Number(row.Count("conflicts")), countTone(row.Count("conflicts"), web.ToneBad)
		differ.Value, differ.Tone = humanize.Number(row.Count("differing")), countTone(row.Count("differing"), web.ToneBad)
	}
	p.Tiles = append(p.Tiles, whole, lost, back, differ, s.listedTile(ctx, "Unconfirmed states",
		"only the site holds them", "unconfirmed-states", nil),
		s.listedTile(ctx, "Ask for policy, do not report", "clients, for a day or more", "silent-clients",
			map[string]string{"verdict": "connected but silent"}))
	return nil
}

// shortNumber writes a count that a wild counter may have blown up.
func shortNumber(n float64) string {
	if n >= 1e9 {
		return "over a billion"
	}
	return humanize.Number(strconv.FormatFloat(n, 'f', 0, 64))
}

// listedTile counts the rows of a report, as far as a snapshot holds them.
func (s *Server) listedTile(ctx context.Context, label, note, report string, params map[string]string) web.Tile {
	query := url.Values{}
	for name, value := range params {
		query.Set(name, value)
	}
	tile := web.Tile{Label: label, Value: dash, Note: note, Link: "/reports/" + report, Tone: web.TonePlain}
	if len(query) > 0 {
		tile.Link += "?" + query.Encode()
	}
	rows, err := s.snapshots.get(ctx, report, params)
	if err != nil {
		return tile
	}
	tile.Value, tile.Tone = humanize.Number(len(rows)), countTone(len(rows), web.ToneBusy)
	if len(rows) == snapshotRows {
		tile.Value += "+"
	}
	return tile
}

// countTone is good when there is none.
func countTone(n int, some web.Tone) web.Tone {
	if n == 0 {
		return web.ToneGood
	}
	return some
}

// listRows is how many rows a panel lists; the report behind it has them all.
const listRows = 8

func (s *Server) fillIncomplete(ctx context.Context, p *web.Panel) error {
	rows, err := s.snapshots.get(ctx, "client-completeness", nil)
	if err != nil {
		return err
	}
	p.Table = &web.Table{Columns: []web.Column{{Name: "client"}, {Name: "complete", Numeric: true},
		{Name: "missing", Numeric: true}, {Name: "since"}, {Name: "last_report"}}}
	for _, row := range rows[:min(len(rows), listRows)] {
		percent := row.Float("percent")
		p.Table.Rows = append(p.Table.Rows, []web.Cell{
			clientCell(row), {Text: completePercent(percent), Numeric: true, Share: percent, Shared: true},
			{Text: humanize.Number(row.Count("missing_messages")), Numeric: true,
				Link: "/reports/missing-ranges?" + url.Values{"client": {row.Raw("client_id")}}.Encode()},
			s.timeCell(row.Time("oldest_missing")), s.timeCell(row.Time("last_report")),
		})
	}
	if len(rows) == 0 {
		p.Table, p.Empty = nil, "No client lacks a message."
	}
	return nil
}

func (s *Server) fillOwed(ctx context.Context, p *web.Panel) error {
	rows, err := s.snapshots.get(ctx, "resyncs", nil)
	if err != nil {
		return err
	}
	p.Table = &web.Table{Columns: []web.Column{{Name: "client"}, {Name: "step"}, {Name: "reason"}, {Name: "issued"},
		{Name: "last_report"}}}
	for _, row := range rows[:min(len(rows), listRows)] {
		tone := web.ToneBusy
		if row.Text("step") == string(explain.Issued) {
			tone = web.TonePlain
		}
		p.Table.Rows = append(p.Table.Rows, []web.Cell{
			clientCell(row), {Text: row.Text("step"), Tone: tone}, {Text: row.Text("reason")}, s.timeCell(row.Time("issued")),
			s.timeCell(row.Time("last_report")),
		})
	}
	if len(rows) == 0 {
		p.Table, p.Empty = nil, "No client owes an answer."
	}
	return nil
}

func (s *Server) fillChecks(ctx context.Context, p *web.Panel) error {
	rows, err := s.snapshots.get(ctx, "gap-checks", nil)
	if err != nil {
		return err
	}
	p.Table = &web.Table{Columns: []web.Column{{Name: "time"}, {Name: "kind"}, {Name: "incomplete_clients", Numeric: true},
		{Name: "ranges_open", Numeric: true}, {Name: "resyncs_issued", Numeric: true},
		{Name: "held_back", Numeric: true}, {Name: "took", Numeric: true}}}
	for _, row := range rows[:min(len(rows), 6)] {
		p.Table.Rows = append(p.Table.Rows, []web.Cell{
			s.timeCell(row.Time("time")), {Text: row.Text("kind")}, numberCell(row, "clients"), numberCell(row, "ranges"),
			numberCell(row, "issued"), numberCell(row, "held"),
			{Text: humanize.Number(row.Count("took_ms")) + " ms", Numeric: true},
		})
	}
	if len(rows) == 0 {
		p.Table, p.Empty = nil, "No gap check has run yet; the process with the resync role makes one every "+
			"resync.check_interval."
	}
	return nil
}

// clientCell names a client and leads to its page.
func clientCell(row reports.Record) web.Cell {
	name := tabular.Shorten(row.Text("netbios_name"), 60)
	if name == "" {
		name = row.Text("client_id")
	}
	return web.Cell{Text: name, Link: clientPath + url.PathEscape(row.Raw("client_id"))}
}

// timeCell says how long ago something was, and exactly when to whoever points at it; a time ahead stands as it is.
func (s *Server) timeCell(t time.Time) web.Cell {
	if t.IsZero() {
		return web.Cell{Text: "never"}
	}
	cell := web.Cell{Text: humanize.Clock(t), Full: humanize.Clock(t), Time: web.ISO(t)}
	if past := s.now().Sub(t); past > -time.Minute {
		cell.Text = humanize.Ago(past)
	}
	return cell
}

func numberCell(row reports.Record, column string) web.Cell {
	return web.Cell{Text: humanize.Number(row.Count(column)), Numeric: true}
}
