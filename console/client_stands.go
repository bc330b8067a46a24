package console

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
)

// problems are the classes that a page of a client shows when nobody asks for all.
var problems = []string{"failed", "restart", "pending", "bad", "said_unknown"}

// kindTitles are headings.
var kindTitles = map[string]string{"update": "Updates", "deployment": "Deployments", "baseline": "Baselines",
	"scan": "Scans", "other": "Other"}

// clientStands is how a client stands on its subjects, by kind, now or at the moment; only those that are not good,
// unless all are asked for.
func (s *Server) clientStands(ctx context.Context, client uuid.UUID, then moment, all bool) *web.Stands {
	us := int64(0)
	if !then.now() {
		us = then.at.UnixMicro()
	}
	rows, err := s.ask(ctx, "client_stands", map[string]string{"client": client.String(),
		"moment_us": strconv.FormatInt(us, 10)})
	path := clientPath + client.String()
	out := &web.Stands{Title: "What it needs", Label: "Show all",
		Link: address(path, nil, "show", "all", asOfName, then.text) + "#needs"}
	if all {
		out.Title, out.Label, out.Link = "How it stands", "Only problems", address(path, nil, asOfName, then.text)+"#needs"
	}
	if err != nil {
		s.logFailure("client's subjects", err)
		out.Problem = "What this client needs can't be read at the moment: " + problemOf(err).Detail
		return out
	}
	good := 0
	for _, row := range rows {
		class, kind := row.Raw("class"), row.Raw("kind")
		if !all && !slices.Contains(problems, class) {
			good++
			continue
		}
		if n := len(out.Kinds); n == 0 || out.Kinds[n-1].Title != kindTitles[kind] {
			out.Kinds = append(out.Kinds, web.StandsOfKind{Title: kindTitles[kind]})
		}
		group := &out.Kinds[len(out.Kinds)-1]
		id, at := row.Raw("topic_id"), kind
		if kind == "other" {
			at = row.Raw("topic_type")
		}
		one := web.Stand{Title: cmp.Or(tabular.Shorten(row.Text("title"), 160), "(no id)"), Tone: classTone(class),
			Link:  address(subjectLink(at, id), nil, asOfName, then.text),
			Class: classLabel(kind, class), Since: row.Time("since")}
		if id != row.Raw("title") {
			one.ID = tabular.Shorten(tabular.TerminalSafe(id), 80)
		}
		group.Rows = append(group.Rows, one)
	}
	switch {
	case len(rows) == 0:
		out.Empty = "It has told of nothing that says good or bad."
		if !then.now() {
			out.Empty = "It had told of nothing that says good or bad by then."
		}
	case len(out.Kinds) == 0:
		out.Empty = "It needs nothing: all of " + humanize.Number(good) + " that it told of " +
			humanize.Plural(good, "is", "are") + " compliant or not applicable."
	}
	return out
}
