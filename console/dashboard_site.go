package console

import (
	"context"
	"fmt"
	"time"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/reports"
)

// fillInbox shows the lanes. The inbox is read directly: it needs no cache and no store.
func (s *Server) fillInbox(ctx context.Context, p *web.Panel) error {
	boxes, err := s.runner.Backlog(ctx)
	if err != nil {
		return fmt.Errorf("read inbox statistics: %w", err)
	}
	p.Lanes = &web.Lanes{Known: boxes != nil}
	for _, b := range boxes {
		lane := web.Lane{Name: b.Name, Label: b.Name, Files: b.Files, Bytes: humanize.Bytes(b.Bytes), Oldest: "–",
			Tone: boxTone(b)}
		if b.Files > 0 {
			lane.Oldest = humanize.Span(b.Oldest)
		}
		switch b.Name {
		case "high":
			lane.Label, lane.Note = "High", "priority below 5"
		case "normal":
			lane.Label, lane.Note = "Normal", "priority 5 or none"
		case "low":
			lane.Label, lane.Note = "Low", "priority above 5"
		case "process":
			lane.Label, lane.Note = "Loading", "claimed by loader threads"
		case "corrupt":
			lane.Label, lane.Note, lane.Link = "Set aside", "bad files and records", "/reports/set-aside?hours=0"
		}
		p.Lanes.Rows = append(p.Lanes.Rows, lane)
	}
	return nil
}

// Backlogs of these sizes make administrators look (500 and 2000 files are common alert thresholds).
const (
	manyFiles    = 500
	tooManyFiles = 2000
)

func boxTone(b reports.Box) web.Tone {
	switch {
	case b.Files == 0:
		return web.ToneGood
	case b.Name == "corrupt":
		return web.ToneBad
	case b.Files >= tooManyFiles || b.Oldest > reports.StaleAfter:
		return web.ToneBad
	case b.Files >= manyFiles || b.Oldest > time.Minute:
		return web.ToneBusy
	}
	return web.ToneGood
}

// fillTiles makes the figures at the top; a figure whose question fails shows a dash and the others stay.
func (s *Server) fillTiles(ctx context.Context, p *web.Panel) error {
	p.Tiles = append(p.Tiles, s.clientTiles(ctx)...)
	p.Tiles = append(p.Tiles, s.throughputTile(ctx), s.backlogTile(ctx), s.failureTile(ctx), s.setAsideTile(ctx))
	return nil
}

// dash stands for a figure that can't be read.
const dash = "–"

func (s *Server) clientTiles(ctx context.Context) []web.Tile {
	all := web.Tile{Label: "Clients", Value: dash, Note: "known to this site", Link: "/reports/clients",
		Tone: web.TonePlain}
	fresh := web.Tile{Label: "Reported today", Value: dash, Link: "/reports/report-age", Tone: web.TonePlain}
	rows, err := s.snapshots.get(ctx, "report-age", nil)
	if err != nil {
		return []web.Tile{all, fresh}
	}
	total, day := 0, 0
	for _, row := range rows {
		total += row.Count("clients")
		if row.Count("from_hours") < 24 {
			day += row.Count("clients")
		}
	}
	all.Value = humanize.Number(total)
	fresh.Note = plural(day, "client", "clients") + " in 24 hours"
	if total > 0 {
		share := 100 * float64(day) / float64(total)
		fresh.Value, fresh.Tone = humanize.Percent(share), shareTone(share)
	}
	return []web.Tile{all, fresh}
}

func shareTone(percent float64) web.Tone {
	switch {
	case percent >= 90:
		return web.ToneGood
	case percent >= 70:
		return web.ToneBusy
	}
	return web.ToneBad
}

func (s *Server) throughputTile(ctx context.Context) web.Tile {
	tile := web.Tile{Label: "Messages per minute", Value: dash, Link: "/reports/throughput", Tone: web.TonePlain}
	rows, err := s.snapshots.get(ctx, "throughput", map[string]string{"minutes": "61"})
	if err != nil {
		return tile
	}
	total, _ := lastHour(rows)
	tile.Value = humanize.Number(lastMinute(rows[:max(0, len(rows)-1)]))
	tile.Note = humanize.Number(total) + " in the last hour"
	return tile
}

func (s *Server) backlogTile(ctx context.Context) web.Tile {
	tile := web.Tile{Label: "Files waiting", Value: dash, Note: "no inbox in this process", Link: "/reports/freshness",
		Tone: web.TonePlain}
	boxes, err := s.runner.Backlog(ctx)
	if err != nil || boxes == nil {
		return tile
	}
	sum := reports.Box{}
	for _, b := range boxes {
		if b.Waiting() {
			sum.Files += b.Files
			sum.Oldest = max(sum.Oldest, b.Oldest)
		}
	}
	tile.Value, tile.Tone, tile.Note = humanize.Number(sum.Files), boxTone(sum), "nothing is late"
	if sum.Files > 0 {
		tile.Note = "oldest " + humanize.Span(sum.Oldest)
	}
	return tile
}

func (s *Server) failureTile(ctx context.Context) web.Tile {
	tile := web.Tile{Label: "Failures", Value: dash, Link: "/reports/failures", Tone: web.TonePlain}
	rows, err := s.snapshots.get(ctx, "failures", nil)
	if err != nil {
		return tile
	}
	total, codes := 0, map[string]bool{}
	for _, row := range rows {
		total += row.Count("clients")
		codes[row.Text("error_code")] = true
	}
	delete(codes, "")
	tile.Value, tile.Tone = humanize.Number(total), web.ToneGood
	tile.Note = fmt.Sprintf("%d error %s", len(codes), humanize.Plural(len(codes), "code", "codes"))
	if total > 0 {
		tile.Tone = web.ToneBad
	}
	return tile
}

func (s *Server) setAsideTile(ctx context.Context) web.Tile {
	tile := web.Tile{Label: "Set aside in 24 h", Value: dash, Link: "/reports/set-aside", Tone: web.TonePlain}
	rows, err := s.snapshots.get(ctx, "set-aside", map[string]string{"hours": "24"})
	if err != nil {
		return tile
	}
	files, records := 0, 0
	for _, row := range rows {
		if row.Text("kind") == "file" {
			files += row.Count("count")
		} else {
			records += row.Count("count")
		}
	}
	tile.Value, tile.Tone = humanize.Number(files+records), web.ToneGood
	tile.Note = fmt.Sprintf("%s bad %s, %s bad %s", humanize.Number(files), humanize.Plural(files, "file", "files"),
		humanize.Number(records), humanize.Plural(records, "record", "records"))
	if files+records > 0 {
		tile.Tone = web.ToneBusy
	}
	return tile
}

func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
