package console

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"statewire/console/web"
	"statewire/internal/tabular"
	"statewire/reports"
)

// shownChanges is how many changes a client's page shows; the report has them all.
const shownChanges = 20

// timeline is how a client's classes changed in the latest days before the moment.
func (s *Server) timeline(ctx context.Context, client string, then moment) (*web.Timeline, error) {
	params := map[string]string{"client": client, "days": strconv.Itoa(shownDays)}
	if !then.now() {
		params[asOfName] = then.text
	}
	rows, err := s.runner.Records(ctx, "client-timeline", params, reports.Page{Limit: shownChanges + 1})
	if err != nil {
		s.logFailure("client-timeline", err)
		return nil, err
	}
	out := &web.Timeline{Days: shownDays, Link: address("/reports/client-timeline", params),
		More: len(rows) > shownChanges}
	for _, row := range rows[:min(len(rows), shownChanges)] {
		out.Rows = append(out.Rows, changeOf(row, client, then.text))
	}
	if len(rows) == 0 {
		out.Empty = "Nothing that says good or bad changed in these " + strconv.Itoa(shownDays) + " days."
	}
	return out, nil
}

// changeOf reads one row of client-timeline.
func changeOf(row reports.Record, client, then string) web.Change {
	kind, _, _ := strings.Cut(row.Raw("subject"), "/")
	id := row.Raw("topic_id")
	out := web.Change{At: row.Time("at"), Title: cmp.Or(tabular.Shorten(row.Text("title"), 160), "(no id)"),
		Link: address(subjectLink(kind, id), nil, asOfName, then), State: row.Text("state_name"),
		Before: classWordOf(kind, row.Raw("before")), After: classWordOf(kind, row.Raw("class"))}
	if id != row.Raw("title") {
		out.ID = tabular.Shorten(tabular.TerminalSafe(id), maxListText)
	}
	if serial := row.Uint("serial"); serial > 0 {
		out.Trace = serialLink(client, serial)
	}
	return out
}

// classWordOf is a class with its tone; before the first word there was none.
func classWordOf(kind, class string) web.Word {
	if class == "" {
		return web.Word{Text: "nothing said", Tone: web.ToneNone}
	}
	return web.Word{Text: classLabel(kind, class), Tone: classTone(class)}
}
