package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/names"
)

// panelMaker fills one box of the dashboard.
type panelMaker struct {
	name, title, link string
	wide              bool
	fill              func(context.Context, *web.Panel) error
}

// panelMakers are the boxes in their order; the tiles stand above them.
func (s *Server) panelMakers() []panelMaker {
	return []panelMaker{
		{"machines", "Machines", "/machines", true, s.fillMachines},
		{"trouble", "Deployments in trouble", "/compliance?tab=deployments", true, s.fillTrouble},
		{"trend", "Compliance, last 90 days", "/reports/compliance-trend", true, s.fillTrend},
		{"tiles", "Use of the site", "", false, s.fillTiles},
		{"throughput", "Throughput", "/reports/throughput", true, s.fillThroughput},
		{"complete", "Completeness", "/completeness", false, s.fillComplete},
		{"inbox", "Inbox", "/reports/freshness", false, s.fillInbox},
		{"compliance", "States by topic", "/reports/topics", true, s.fillCompliance},
		{"channel", "Connected clients", "/reports/presence", false, s.fillChannel},
		{"fleet", "Clients by last report", "/reports/report-age", false, s.fillFleet},
		{"failures", "Failures by error code", "/reports/failures", true, s.fillFailures},
		{"set-aside", "Bad files and records", "/reports/set-aside", false, s.fillSetAside},
	}
}

func (s *Server) dashboard(w http.ResponseWriter, r *http.Request) {
	panels := make([]web.Panel, len(s.panels))
	var all sync.WaitGroup
	for i, maker := range s.panels {
		all.Go(func() { panels[i] = s.makePanel(r.Context(), maker) })
	}
	all.Wait()
	board := web.Dashboard{Machines: panels[0], Trouble: panels[1], Trend: panels[2], Tiles: panels[3], Panels: panels[4:]}
	s.render(w, r, http.StatusOK, "dashboard", web.Page{Title: "Dashboard", Section: "dashboard", Body: board})
}

// panel is one box by itself, for the refresh.
func (s *Server) panel(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("name") == "freshness" {
		s.part(w, r, "freshness", s.pageAge(r.Context()))
		return
	}
	for _, maker := range slices.Concat(s.panels, s.complete) {
		if maker.name != r.PathValue("name") {
			continue
		}
		s.part(w, r, "panel", s.makePanel(r.Context(), maker))
		return
	}
	s.notFound(w, r)
}

// part writes a part of a page.
func (s *Server) part(w http.ResponseWriter, r *http.Request, name string, body any) {
	var out bytes.Buffer
	if err := s.pages.Part(&out, name, body); err != nil {
		s.log.Error("render part", "path", r.URL.Path, "err", err)
		newProblem(http.StatusInternalServerError, "internal",
			"this part of the page could not be made: the server's log says why").serve(w)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = out.WriteTo(w) // the reader has gone
}

// makePanel never fails: a box whose question can't be answered says so, and the others stay.
func (s *Server) makePanel(ctx context.Context, maker panelMaker) web.Panel {
	p := web.Panel{Name: maker.name, Title: maker.title, Link: maker.link, Wide: maker.wide,
		Refresh: max(1, int(s.cfg.Refresh.Seconds()))}
	if err := maker.fill(ctx, &p); err != nil {
		s.logFailure(maker.name, err)
		p.Error = "These figures can't be read at the moment: " + problemOf(err).Detail
	}
	return p
}

// age is the age of the data as the dashboard's own answers have it.
func (s *Server) age(ctx context.Context) *reports.Freshness {
	f := &reports.Freshness{AsOf: s.now().UTC()}
	rows, err := s.snapshots.get(ctx, "freshness", nil)
	if err != nil {
		f.Problem = "the store doesn't answer"
	}
	for _, row := range rows {
		f.AddEvent(row["what"], row["at"])
	}
	if boxes, err := s.runner.Backlog(ctx); err == nil && boxes != nil {
		f.AddBacklog(boxes)
	}
	return f
}

func (s *Server) fillThroughput(ctx context.Context, p *web.Panel) error {
	rows, err := s.snapshots.get(ctx, "throughput", map[string]string{"minutes": "61"})
	if err != nil {
		return err
	}
	c := &web.Chart{Series: []web.Series{{Label: "Messages"}, {Label: "Reports"}}, Link: p.Link,
		Label: "Messages and reports per minute"}
	messages, reports := lastHour(rows)
	if len(rows) > 1 {
		rows = rows[:len(rows)-1] // the running minute is not a low one
	}
	for _, row := range rows {
		c.X = append(c.X, unixOf(row.RawTime("minute")))
		c.Series[0].Values = append(c.Series[0].Values, float64(row.Count("messages")))
		c.Series[1].Values = append(c.Series[1].Values, float64(row.Count("reports")))
	}
	c.Text = fmt.Sprintf("Last hour: %s messages in %s reports. Last full minute: %s messages.",
		humanize.Number(messages), humanize.Number(reports), humanize.Number(lastMinute(rows)))
	p.Chart = c
	return nil
}

// lastHour adds up the running minute and the 59 before it.
func lastHour(minutes []reports.Record) (messages, reports int) {
	for _, row := range minutes[max(0, len(minutes)-60):] {
		messages += row.Count("messages")
		reports += row.Count("reports")
	}
	return messages, reports
}

func lastMinute(fullMinutes []reports.Record) int {
	if len(fullMinutes) == 0 {
		return 0
	}
	return fullMinutes[len(fullMinutes)-1].Count("messages")
}

func (s *Server) fillCompliance(ctx context.Context, p *web.Panel) error {
	rows, err := s.snapshots.get(ctx, "topics", nil)
	if err != nil {
		return err
	}
	for _, row := range rows {
		kind := row.Text("topic_type")
		link := "/reports/compliance?topic_type=" + kind
		if n := len(p.Stacks); n == 0 || p.Stacks[n-1].Link != link {
			ids := row.Count("topic_ids")
			title := names.Topic(row.Text("topic_name"))
			if title == "" {
				title = "Topic type " + kind
			}
			p.Stacks = append(p.Stacks, web.Stack{Title: title, Link: link,
				Subtitle: kind + " · " + humanize.Number(ids) + " " + humanize.Plural(ids, "topic id", "topic ids")})
		}
		stack := &p.Stacks[len(p.Stacks)-1]
		name := row.Text("state_name")
		seg := web.Segment{Name: name, Count: row.Count("pairs"), Tone: web.ToneOf(name)}
		seg.Link = "/reports/clients-in-state?" + url.Values{"topic_type": {kind},
			"state_id": {row.Text("state_id")}}.Encode()
		if row["state_id"] == nil {
			seg.Name, seg.Link = "Unknown", link
		}
		stack.Total += seg.Count
		stack.Segments = append(stack.Segments, seg)
	}
	for i := range p.Stacks {
		p.Stacks[i].Arrange()
	}
	p.Stacks, p.Quiet = pickStacks(p.Stacks)
	if len(rows) == 0 {
		p.Empty, p.Steps = "No client has reported a state yet.", s.firstSteps
	}
	return nil
}

// worthALook says that clients are in a state that is not good.
func worthALook(s web.Segment) bool { return s.Count > 0 && s.Tone != web.ToneGood }

// dashboardStacks is how many topics the dashboard draws; the others are named below them.
const dashboardStacks = 8

// pickStacks keeps the order of the topics, and draws those where something is to be seen.
func pickStacks(all []web.Stack) (drawn []web.Stack, quiet []web.Entry) {
	for _, stack := range all {
		calm := !slices.ContainsFunc(stack.Segments, worthALook)
		if calm && len(all) > dashboardStacks || len(drawn) == dashboardStacks {
			quiet = append(quiet, web.Entry{Title: stack.Title, Link: stack.Link})
			continue
		}
		drawn = append(drawn, stack)
	}
	return drawn, quiet
}

func (s *Server) fillFleet(ctx context.Context, p *web.Panel) error {
	rows, err := s.snapshots.get(ctx, "report-age", nil)
	if err != nil {
		return err
	}
	list := &web.BarList{}
	for _, row := range rows {
		percent := row.Float("percent")
		list.Total += row.Count("clients")
		list.Rows = append(list.Rows, web.Bar{
			Label: row.Text("last_report"), Count: row.Count("clients"), Percent: percent,
			Tone: ageTone(row.Count("from_hours")),
			Link: "/reports/clients?" + url.Values{"min_age_hours": {row.Text("from_hours")},
				"max_age_hours": {row.Text("to_hours")}}.Encode(),
		})
	}
	p.Bars = list
	return nil
}

// ageTone is how a client's silence reads.
func ageTone(hours int) web.Tone {
	switch {
	case hours < 24:
		return web.ToneGood
	case hours < 168:
		return web.ToneBusy
	}
	return web.ToneBad
}

func (s *Server) fillFailures(ctx context.Context, p *web.Panel) error {
	rows, err := s.snapshots.get(ctx, "failures", nil)
	if err != nil {
		return err
	}
	for _, row := range rows[:min(len(rows), 8)] {
		most := max(1, rows[0].Count("clients"))
		failing := url.Values{
			"topic_type": {row.Raw("topic_type")}, "state_id": {row.Raw("state_id")}, "code": {row.Raw("error_code")},
		}
		p.Failures = append(p.Failures, web.Failure{
			Code: row.Text("error_code"), Meaning: row.Text("meaning"), State: row.Text("state_name"),
			Topic: names.Topic(row.Text("topic_name")), Clients: row.Count("clients"),
			Percent: 100 * float64(row.Count("clients")) / float64(most),
			Link:    "/reports/failing-clients?" + failing.Encode(),
		})
	}
	if len(rows) == 0 {
		p.Empty = "No client is in a failed state."
	}
	return nil
}

func (s *Server) fillSetAside(ctx context.Context, p *web.Panel) error {
	day, err := s.snapshots.get(ctx, "set-aside", map[string]string{"hours": "24"})
	if err != nil {
		return err
	}
	list := &web.SetAside{FilesLink: "/reports/bad-files?hours=24", RecordsLink: "/reports/bad-records?hours=24"}
	for _, row := range day {
		what, link := &list.Records, "/reports/bad-records?"
		if row.Text("kind") == "file" {
			what, link = &list.Files, "/reports/bad-files?"
		}
		n := row.Count("count")
		*what += n
		if len(list.Latest) < 5 {
			list.Latest = append(list.Latest, web.SetAsideItem{When: row.RawTime("latest"), Code: row.Text("code"),
				Reason: tabular.Shorten(row.Text("example"), 120),
				What:   strconv.Itoa(n) + " " + humanize.Plural(n, row.Text("kind"), row.Text("kind")+"s"),
				Link:   link + url.Values{"code": {row.Raw("code")}, "hours": {"24"}}.Encode()})
		}
	}
	p.SetAside = list
	return nil
}
