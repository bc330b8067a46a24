package reports

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"statewire/reports/web"
)

// completePanels are the boxes of the page of completeness; the tiles stand above them.
func (s *Server) completePanels() []panelMaker {
	return []panelMaker{
		{"complete-tiles", "At a glance", "", false, s.fillCompleteTiles},
		{"incomplete", "Least complete clients", "/reports/client-completeness", true, s.fillIncomplete},
		{"owed", "Resyncs under way", "/reports/resyncs", true, s.fillOwed},
		{"checks", "Gap checks", "/reports/gap-checks", true, s.fillChecks},
		{"fleet-complete", "Completeness of the fleet", "/reports/completeness", false, s.fillRing},
		{"ranges", "Missing messages by age", "/reports/open-ranges", false, s.fillRanges},
	}
}

func (s *Server) completeness(w http.ResponseWriter, r *http.Request) {
	panels := make([]web.Panel, len(s.complete))
	var all sync.WaitGroup
	for i, maker := range s.complete {
		all.Go(func() { panels[i] = s.makePanel(r.Context(), maker) })
	}
	all.Wait()
	board := web.Completeness{Tiles: panels[0], Panels: panels[1:]}
	s.render(w, r, http.StatusOK, "completeness", web.Page{Title: "Completeness", Section: "completeness", Body: board})
}

// completeRow is the one row of the report completeness.
func (s *Server) completeRow(ctx context.Context) (record, error) {
	rows, err := s.snapshots.get(ctx, "completeness", nil)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

// fillComplete is the dashboard's own box: the ring, the ages and the steps.
func (s *Server) fillComplete(ctx context.Context, p *web.Panel) error {
	if err := s.fillRing(ctx, p); err != nil {
		return err
	}
	if err := s.fillRanges(ctx, p); err != nil {
		return err
	}
	if p.Bars.Total == 0 {
		p.Bars, p.Empty = nil, ""
	}
	return nil
}

func (s *Server) fillRing(ctx context.Context, p *web.Panel) error {
	row, err := s.completeRow(ctx)
	if err != nil {
		return err
	}
	share := floatOf(row["percent"])
	p.Ring = &web.Ring{
		Value: completePercent(share), Share: share, Tone: completeTone(share), Label: "complete", Link: "/reports/client-completeness",
		Caption: web.Number(row.count("complete_clients")) + " of " + web.Number(row.count("clients")) + " clients are complete.",
	}
	if n := floatOf(row["missing"]); n > 0 {
		p.Ring.Caption += " " + messageCount(n) + " missing."
	}
	if at := row.time("last_check"); at.IsZero() {
		p.Ring.Caption += " No gap check has run yet."
	} else {
		p.Ring.Caption += " Last gap check " + ago(s.runner.now().Sub(at)) + "."
	}
	steps, err := s.snapshots.get(ctx, "resync-steps", nil)
	if err != nil {
		return err
	}
	for _, step := range steps {
		name := step.text("step")
		stage := web.Stage{Label: firstUpper(name), Count: step.count("clients"), Link: "/reports/resyncs?" + url.Values{"step": {name}}.Encode()}
		if name == "requested" {
			stage.Link = "/reports/resync-steps"
		}
		if at := step.time("oldest"); !at.IsZero() && name != "completed" && stage.Count > 0 {
			stage.Note = "oldest " + span(s.runner.now().Sub(at))
		}
		p.Stages = append(p.Stages, stage)
	}
	return nil
}

// messageCount says how many, however many a wild counter makes of them.
func messageCount(n float64) string {
	if n >= 1e12 {
		return "More messages than anyone could send are"
	}
	if n == 1 {
		return "1 message is"
	}
	return web.Number(strconv.FormatFloat(n, 'f', 0, 64)) + " messages are"
}

// completePercent writes a share that was rounded down, with no more digits than it needs.
func completePercent(share float64) string { return strconv.FormatFloat(share, 'f', -1, 64) + " %" }

// completeTone is how a fleet's completeness reads.
func completeTone(percent float64) web.Tone {
	switch {
	case percent >= 99.9:
		return web.ToneGood
	case percent >= 98:
		return web.ToneBusy
	}
	return web.ToneBad
}

func (s *Server) fillRanges(ctx context.Context, p *web.Panel) error {
	rows, err := s.snapshots.get(ctx, "open-ranges", nil)
	if err != nil {
		return err
	}
	list, most := &web.BarList{}, 1
	for _, row := range rows {
		most = max(most, row.count("ranges"))
	}
	for _, row := range rows {
		n := row.count("ranges")
		list.Total += n
		list.Rows = append(list.Rows, web.Bar{
			Label: row.text("missing_for"), Count: n, Percent: 100 * float64(n) / float64(most), Tone: rangeTone(row.count("from_hours")),
			Link: "/reports/missing-ranges?" + url.Values{"min_age_hours": {row.text("from_hours")}, "max_age_hours": {row.text("to_hours")}}.Encode(),
		})
	}
	p.Bars = list
	if list.Total == 0 {
		p.Bars, p.Empty = &web.BarList{}, "No message is missing."
	}
	return nil
}

// rangeTone is how long a message may be missing: a report may still be on its way, then a resync is due.
func rangeTone(hours int) web.Tone {
	switch {
	case hours < 24:
		return web.TonePlain
	case hours < 168:
		return web.ToneBusy
	}
	return web.ToneBad
}

// fillCompleteTiles are what is odd about the fleet; a figure whose question fails shows a dash and the others stay.
func (s *Server) fillCompleteTiles(ctx context.Context, p *web.Panel) error {
	whole := web.Tile{Label: "Complete clients", Value: dash, Link: "/reports/client-completeness?only=all", Tone: web.TonePlain}
	lost := web.Tile{Label: "Missing messages", Value: dash, Link: "/reports/missing-ranges", Tone: web.TonePlain}
	back := web.Tile{Label: "Counters went back", Value: dash, Note: "clients, not settled yet", Link: "/reports/conflicts", Tone: web.TonePlain}
	differ := web.Tile{Label: "States differ", Value: dash, Note: "clients, nothing missing", Link: "/reports/differing-clients", Tone: web.TonePlain}
	if row, err := s.completeRow(ctx); err == nil && row != nil {
		share := floatOf(row["complete_percent"])
		whole.Value, whole.Tone = completePercent(share), shareTone(share)
		whole.Note = web.Number(row.count("complete_clients")) + " of " + web.Number(row.count("clients"))
		n := floatOf(row["missing"])
		lost.Value, lost.Tone, lost.Note = shortNumber(n), countTone(int(min(n, 1)), web.ToneBusy), "nothing is missing"
		if ranges := row.count("ranges"); ranges > 0 {
			lost.Note = "in " + web.Number(ranges) + plural(ranges, " range", " ranges")
		}
		back.Value, back.Tone = web.Number(row.count("conflicts")), countTone(row.count("conflicts"), web.ToneBad)
		differ.Value, differ.Tone = web.Number(row.count("differing")), countTone(row.count("differing"), web.ToneBad)
	}
	p.Tiles = append(p.Tiles, whole, lost, back, differ, s.listedTile(ctx, "Unconfirmed states", "only the site holds them", "unconfirmed-states", nil),
		s.listedTile(ctx, "Connected but silent", "clients, for a day or more", "silent-clients", map[string]string{"verdict": "connected but silent"}))
	return nil
}

// shortNumber writes a count that a wild counter may have blown up.
func shortNumber(n float64) string {
	if n >= 1e9 {
		return "over a billion"
	}
	return web.Number(strconv.FormatFloat(n, 'f', 0, 64))
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
	tile.Value, tile.Tone = web.Number(len(rows)), countTone(len(rows), web.ToneBusy)
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
	p.Table = &web.Table{Columns: []web.Column{{Name: "client"}, {Name: "complete", Numeric: true}, {Name: "missing", Numeric: true}, {Name: "since"}, {Name: "last_report"}}}
	for _, row := range rows[:min(len(rows), listRows)] {
		percent := floatOf(row["percent"])
		p.Table.Rows = append(p.Table.Rows, []web.Cell{
			clientCell(row), {Text: completePercent(percent), Numeric: true, Share: percent, Shared: true},
			{Text: web.Number(row.count("missing_messages")), Numeric: true, Link: "/reports/missing-ranges?" + url.Values{"client": {row.raw("client_id")}}.Encode()},
			timeCell(row.time("oldest_missing")), timeCell(row.time("last_report")),
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
	p.Table = &web.Table{Columns: []web.Column{{Name: "client"}, {Name: "step"}, {Name: "reason"}, {Name: "issued"}, {Name: "last_report"}}}
	for _, row := range rows[:min(len(rows), listRows)] {
		tone := web.ToneBusy
		if row.text("step") == string(stepIssued) {
			tone = web.TonePlain
		}
		p.Table.Rows = append(p.Table.Rows, []web.Cell{
			clientCell(row), {Text: row.text("step"), Tone: tone}, {Text: row.text("reason")}, timeCell(row.time("issued")), timeCell(row.time("last_report")),
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
	p.Table = &web.Table{Columns: []web.Column{{Name: "time"}, {Name: "kind"}, {Name: "clients", Numeric: true}, {Name: "ranges_open", Numeric: true}, {Name: "resyncs_issued", Numeric: true},
		{Name: "held_back", Numeric: true}, {Name: "took", Numeric: true}}}
	for _, row := range rows[:min(len(rows), 6)] {
		p.Table.Rows = append(p.Table.Rows, []web.Cell{
			timeCell(row.time("time")), {Text: row.text("kind")}, numberCell(row, "clients"), numberCell(row, "ranges"), numberCell(row, "issued"), numberCell(row, "held"),
			{Text: web.Number(row.count("took_ms")) + " ms", Numeric: true},
		})
	}
	if len(rows) == 0 {
		p.Table, p.Empty = nil, "No gap check has run yet; the process with the resync role makes one every resync.check_interval."
	}
	return nil
}

// clientCell names a client and leads to its page.
func clientCell(row record) web.Cell {
	name := shorten(row.text("netbios_name"), 60)
	if name == "" {
		name = row.text("client_id")
	}
	return web.Cell{Text: name, Link: clientPath + url.PathEscape(row.raw("client_id"))}
}

func timeCell(t time.Time) web.Cell {
	if t.IsZero() {
		return web.Cell{Text: "never"}
	}
	return web.Cell{Text: clockAt(t), Time: web.ISO(t)}
}

func numberCell(row record, column string) web.Cell {
	return web.Cell{Text: web.Number(row.count(column)), Numeric: true}
}
