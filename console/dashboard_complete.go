package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/reports"
)

// completePanels are the boxes of the page of completeness; the tiles stand above them.
func (s *Server) completePanels() []panelMaker {
	return []panelMaker{
		{"complete-tiles", "At a glance", "", false, s.fillCompleteTiles},
		{"incomplete", "Least complete clients", "/reports/client-completeness", true, s.fillIncomplete},
		{"owed", "Resyncs under way", "/reports/resyncs", true, s.fillOwed},
		{"checks", "Gap checks", "/reports/gap-checks", true, s.fillChecks},
		{"fleet-complete", "Completeness of the fleet", "/reports/completeness", false, s.fillRing},
		{"ranges", "Missing ranges by age", "/reports/open-ranges", false, s.fillRanges},
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
func (s *Server) completeRow(ctx context.Context) (reports.Record, error) {
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
	share := row.Float("percent")
	p.Ring = &web.Ring{
		Value: completePercent(share), Share: share, Tone: completeTone(share), Label: "complete",
		Link: "/reports/client-completeness",
		Caption: humanize.Number(row.Count("complete_clients")) + " of " + humanize.Number(row.Count("clients")) +
			" clients are complete.",
	}
	if n := row.Float("missing"); n > 0 {
		p.Ring.Caption += " " + messageCount(n) + " missing."
	}
	if n := row.Count("jumped_clients") + row.Count("claims_aside"); n > 0 {
		p.Ring.Caption += " Serials of " + humanize.Number(n) + humanize.Plural(n, " client", " clients") +
			" jumped, and are counted apart."
	}
	sayChecked(p.Ring, row, s.now())
	s.sayUnstored(ctx, p.Ring, row)
	steps, err := s.snapshots.get(ctx, "resync-steps", nil)
	if err != nil {
		return err
	}
	for _, step := range steps {
		name := step.Text("step")
		stage := web.Stage{Label: firstUpper(name), Count: step.Count("clients"),
			Link: "/reports/resyncs?" + url.Values{"step": {name}}.Encode()}
		if name == "requested" {
			stage.Link = "/reports/resync-steps"
		}
		if at := step.Time("oldest"); !at.IsZero() && name != "completed" && stage.Count > 0 {
			stage.Note = "oldest " + humanize.Span(s.now().Sub(at))
		}
		p.Stages = append(p.Stages, stage)
	}
	return nil
}

// sayChecked says when the figure was made, and what it does not know yet.
func sayChecked(ring *web.Ring, row reports.Record, now time.Time) {
	at := row.Time("last_check")
	if at.IsZero() {
		ring.Value, ring.Share, ring.Tone = dash, 0, web.TonePlain
		ring.Caption = "Not known yet: no gap check has run. The process with the resync role makes one when it starts, " +
			"and every resync.check_interval."
		return
	}
	ring.Caption += " Last gap check " + humanize.Ago(now.Sub(at))
	if n := row.Count("changed"); n > 0 {
		ring.Caption += ", " + humanize.Number(n) + humanize.Plural(n, " client has", " clients have") +
			" sent something since"
	}
	ring.Caption += "."
}

// sayUnstored says what the figure can't know: what is not stored is in no gap check.
func (s *Server) sayUnstored(ctx context.Context, ring *web.Ring, row reports.Record) {
	if n := row.Count("unstored_clients"); n > 0 {
		ring.Caption += " Of " + humanize.Number(n) + humanize.Plural(n, " client", " clients") +
			" nothing is stored yet, though messages were given out."
	}
	boxes, err := s.runner.Backlog(ctx)
	if err != nil {
		ring.Caption += " The inbox can't be read, so what waits there is not known."
		return
	}
	files := 0
	for _, b := range boxes {
		if b.Waiting() {
			files += b.Files
		}
	}
	if files > 0 {
		ring.Caption += " " + humanize.Number(files) + humanize.Plural(files, " file waits to be loaded, and what it holds",
			" files wait to be loaded, and what they hold") + " is not known here."
	}
}

// messageCount says how many, however many a wild counter makes of them.
func messageCount(n float64) string {
	if n >= 1e12 {
		return "More messages than anyone could send are"
	}
	if n == 1 {
		return "1 message is"
	}
	return humanize.Number(strconv.FormatFloat(n, 'f', 0, 64)) + " messages are"
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
		most = max(most, row.Count("ranges"))
	}
	for _, row := range rows {
		n := row.Count("ranges")
		list.Total += n
		list.Rows = append(list.Rows, web.Bar{
			Label: row.Text("missing_for"), Count: n, Percent: 100 * float64(n) / float64(most),
			Tone: rangeTone(row.Count("from_hours")),
			Link: "/reports/missing-ranges?" + url.Values{"min_age_hours": {row.Text("from_hours")},
				"max_age_hours": {row.Text("to_hours")}}.Encode(),
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
