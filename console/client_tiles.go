package console

import (
	"time"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports/explain"
)

// clientTiles are the figures at the top of the page.
func clientTiles(f *explain.Findings) []web.Tile {
	n := f.Figures
	last := sinceTile("Last report", "none has been stored", web.ToneBad, n.LastReport, f.AsOf)
	policy := sinceTile("Last policy request", "it has never asked", web.TonePlain, n.LastPolicyRequest, f.AsOf)
	agent := web.Tile{Label: "Agent", Value: dash, Note: "version not known", Tone: web.TonePlain}
	if n.Version != "" {
		agent.Value = tabular.TerminalSafe(tabular.Shorten(n.Version, 24))
		agent.Note = "first report " + n.FirstReport.Format("2006-01-02")
	}
	serial := web.Tile{Label: "Last serial", Value: humanize.Number(n.LastSerial()), Note: claimNote(n),
		Tone: web.TonePlain}
	tiles := []web.Tile{completeTile(n), serial, last, policy, agent}
	if n.Connection != nil {
		tiles = append(tiles, connectionTile(*n.Connection, f.AsOf))
	}
	return tiles
}

// connectionTile says whether the client is connected to the notification server. That one is not is no fault: machines
// are switched off.
func connectionTile(c explain.Connection, now time.Time) web.Tile {
	tile := web.Tile{Label: "Connection", Value: dash, Note: "never connected", Tone: web.TonePlain}
	since := humanize.Span(now.Sub(c.Since))
	switch {
	case c.Online:
		tile.Value, tile.Tone = c.By, web.ToneGood
		tile.Note = tabular.TerminalSafe(tabular.Shorten(c.Server, 24)) + ", for " + since
	case c.Lost:
		tile.Note, tile.Tone = "not known: its server is silent", web.ToneBusy
	case c.Ever:
		tile.Value, tile.Note = "offline", "for "+since+": "+tabular.TerminalSafe(tabular.Shorten(c.Reason, 24))
	}
	return tile
}

// sinceTile says how long ago something was; never says that it never was.
func sinceTile(label, never string, tone web.Tone, at, now time.Time) web.Tile {
	if at.IsZero() {
		return web.Tile{Label: label, Value: dash, Note: never, Tone: tone}
	}
	quiet := now.Sub(at)
	return web.Tile{Label: label, Value: humanize.Ago(quiet), Note: humanize.Clock(at), Tone: ageTone(int(quiet.Hours()))}
}

func claimNote(n explain.Figures) string {
	switch {
	case n.LastPolicyRequest.IsZero():
		return "as far as it arrived"
	case n.Claimed > n.Arrived:
		return "claimed; " + humanize.Number(n.Arrived) + " arrived"
	case n.Unsent > 0:
		return humanize.Number(n.Unsent) + " wait on the client"
	}
	return "claimed and arrived"
}

// completeTile is the share of the client's messages that arrived, as of now.
func completeTile(n explain.Figures) web.Tile {
	tile := web.Tile{Label: "Complete", Value: dash, Note: "nothing to count yet", Tone: web.TonePlain}
	if n.LastSerial() == 0 {
		return tile
	}
	tile.Value, tile.Note, tile.Tone = "100 %", "nothing is missing", web.ToneGood
	if n.Missing > 0 {
		share := min(99.99, float64(int(10000*(1-float64(n.Missing)/float64(n.Expected))))/100)
		tile.Value, tile.Tone = completePercent(share), completeTone(share)
		tile.Note = shortNumber(float64(n.Missing)) + " missing"
	}
	return tile
}
