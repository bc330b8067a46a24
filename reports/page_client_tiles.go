package reports

import (
	"statewire/reports/web"
)

// tiles are the figures at the top of the page.
func (e *evidence) tiles() []web.Tile {
	h := e.header
	tiles := []web.Tile{e.completeTile()}
	last := web.Tile{Label: "Last report", Value: dash, Note: "none has been stored", Tone: web.ToneBad}
	if e.reported() {
		quiet := e.now.Sub(h.lastReport)
		last = web.Tile{Label: "Last report", Value: ago(quiet), Note: clockAt(h.lastReport), Tone: ageTone(int(quiet.Hours()))}
	}
	policy := web.Tile{Label: "Last policy request", Value: dash, Note: "it has never asked", Tone: web.TonePlain}
	if !h.claimedTime.IsZero() {
		quiet := e.now.Sub(h.claimedTime)
		policy = web.Tile{Label: "Last policy request", Value: ago(quiet), Note: clockAt(h.claimedTime), Tone: ageTone(int(quiet.Hours()))}
	}
	agent := web.Tile{Label: "Agent", Value: dash, Note: "version not known", Tone: web.TonePlain}
	if h.version != "" {
		agent = web.Tile{Label: "Agent", Value: terminalSafe(shorten(h.version, 24)), Note: "first report " + h.firstReport.Format("2006-01-02"), Tone: web.TonePlain}
	}
	return append(tiles, web.Tile{Label: "Last serial", Value: web.Number(e.greatest()), Note: e.claimNote(), Tone: web.TonePlain}, last, policy, agent)
}

func (e *evidence) claimNote() string {
	switch {
	case e.header.claimedTime.IsZero():
		return "as far as it arrived"
	case e.header.claimed > e.header.seen:
		return "claimed; " + web.Number(e.header.seen) + " arrived"
	case e.header.cacheUnsent > 0:
		return web.Number(e.header.cacheUnsent) + " wait on the client"
	}
	return "claimed and arrived"
}

// completeTile is the share of the client's messages that arrived, as of now.
func (e *evidence) completeTile() web.Tile {
	tile := web.Tile{Label: "Complete", Value: dash, Note: "nothing to count yet", Tone: web.TonePlain}
	if e.greatest() == 0 {
		return tile
	}
	missing, expected := count(e.missing()), uint64(0)
	if e.greatest() >= e.floor() {
		expected = e.greatest() - e.floor() + 1 - count(e.jumps())
	}
	tile.Value, tile.Note, tile.Tone = "100 %", "nothing is missing", web.ToneGood
	if missing > 0 {
		share := min(99.99, float64(int(10000*(1-float64(missing)/float64(expected))))/100)
		tile.Value, tile.Tone = completePercent(share), completeTone(share)
		tile.Note = shortNumber(float64(missing)) + " missing"
	}
	return tile
}
