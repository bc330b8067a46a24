package console

import (
	"context"

	"statewire/console/web"
	"statewire/internal/humanize"
)

// fillMachines says how the machines of the site stand: each is in one class, the worst that applies.
func (s *Server) fillMachines(ctx context.Context, p *web.Panel) error {
	rows, err := s.machineClasses(ctx, nil)
	if err != nil {
		return err
	}
	tiles := map[string]web.Tile{
		"compliant": {Label: "Compliant", Note: "have all they need", Tone: web.ToneGood},
		"required":  {Label: "Need updates", Note: "or a deployment, or a baseline", Tone: web.ToneBad},
		"failed":    {Label: "Failed", Note: "something did not install", Tone: web.ToneBad},
		"restart":   {Label: "Restart", Note: "wait for one", Tone: web.ToneBusy},
		"not_known": {Label: "Not known", Note: "have not said enough", Tone: web.ToneBusy},
	}
	all := 0
	for _, row := range rows {
		all += row.Count("machines")
		tile := tiles[row.Raw("class")]
		tile.Value = humanize.Number(row.Count("machines"))
		if row.Count("machines") == 0 {
			tile.Tone = web.TonePlain
		}
		tiles[row.Raw("class")] = tile
	}
	if all == 0 {
		p.Empty, p.Steps = "No client has reported yet.", s.firstSteps
		return nil
	}
	for _, class := range []string{"compliant", "required", "failed", "restart", "not_known"} {
		tile := tiles[class]
		if tile.Value == "" {
			tile.Value, tile.Tone = "0", web.TonePlain
		}
		problem := class
		if class == "compliant" {
			problem = "none"
		}
		tile.Link = address("/machines", map[string]string{"problem": problem})
		p.Tiles = append(p.Tiles, tile)
	}
	return nil
}

// answered are the classes of machines that said how a deployment went there.
var answered = []string{"compliant", "bad", "pending", "restart", "failed", "not_applicable"}

// troubled is how many deployments the dashboard shows.
const troubled = 5

// fillTrouble shows the deployments that are not done, those that lack most first.
func (s *Server) fillTrouble(ctx context.Context, p *web.Panel) error {
	rows, err := s.snapshots.get(ctx, "deployments", nil)
	if err != nil {
		return err
	}
	told := 0
	for _, row := range rows {
		counts := subjectCounts(row)
		for _, class := range answered {
			told += counts[class]
		}
		if len(p.Subjects) < troubled && counts["failed"]+counts["bad"]+counts["pending"]+counts["restart"] > 0 {
			p.Subjects = append(p.Subjects, subjectRow("deployment", row, nil))
		}
	}
	switch {
	case told == 0: // one with a target may be there before anybody told of it
		p.Empty = "No client has told of a deployment yet."
	case len(p.Subjects) == 0:
		p.Empty = "Every deployment has succeeded on every machine that has told of it."
	}
	return nil
}
