package console

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"statewire/console/web"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// shownChanges is how many changes a client's page shows; the report has them all.
const shownChanges = 20

// timeline is how a client's classes changed in the latest days before the moment.
func (s *Server) timeline(ctx context.Context, client string, then moment) *web.Timeline {
	params := map[string]string{"client": client, "days": strconv.Itoa(shownDays)}
	if !then.now() {
		params[asOfName] = then.text
	}
	out := &web.Timeline{Days: shownDays, Link: address("/reports/client-timeline", params)}
	rows, err := s.runner.Records(ctx, "client-timeline", params, reports.Page{Limit: shownChanges + 1})
	if err != nil {
		s.logFailure("client-timeline", err)
		out.Problem = "How it changed can't be read at the moment: " + problemOf(err).Detail
		return out
	}
	out.More = len(rows) > shownChanges
	for _, row := range rows[:min(len(rows), shownChanges)] {
		out.Rows = append(out.Rows, changeOf(row, client, then.text))
	}
	if len(rows) == 0 {
		out.Empty = "Nothing that says good or bad changed in these " + strconv.Itoa(shownDays) + " days."
	}
	return out
}

// changeOf reads one row of client-timeline.
func changeOf(row reports.Record, client, then string) web.Change {
	kind, id := kindOf(row), row.Raw("topic_id")
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

// kindOf is the kind of a row's subject, as its address has it: the row says it, or its topic type does.
func kindOf(row reports.Record) string {
	if kind := row.Raw("kind"); kind != "" && kind != "other" {
		return kind
	}
	return kindOfTopic(row.Raw("topic_type"))
}

// kindOrder is that of a client's page.
var kindOrder = []string{"update", "deployment", "baseline", "scan", "other"}

// standsThen is what a client had last said by a moment. Only what is not good, unless all is asked for.
func (s *Server) standsThen(ctx context.Context, client string, then moment, all bool) (*web.Stands, error) {
	rows, err := s.runner.Records(ctx, "client-states", map[string]string{"client": client, asOfName: then.text},
		reports.Page{})
	if err != nil {
		return nil, err
	}
	path := clientPath + client
	out := &web.Stands{Title: "What it needed", Label: "Show all",
		Link: address(path, nil, "show", "all", asOfName, then.text) + "#needs"}
	if all {
		out.Title, out.Label, out.Link = "How it stood", "Only problems", address(path, nil, asOfName, then.text)+"#needs"
	}
	byKind := map[string][]web.Stand{}
	for _, row := range rows {
		tone := web.ToneOf(row.Text("state_name"))
		if !all && tone != web.ToneBad && tone != web.ToneBusy {
			continue
		}
		at := kindOf(row)
		kind := at
		if !slices.Contains(kindOrder, kind) {
			kind = "other"
		}
		one := web.Stand{Title: cmp.Or(tabular.Shorten(row.Text("title"), 160), "(no id)"), Tone: tone,
			Link:  address(subjectLink(at, row.Raw("topic_id")), nil, asOfName, then.text),
			Class: row.Text("state_name"), Since: row.Time("last_state_changed")}
		if id := row.Raw("topic_id"); id != row.Raw("title") {
			one.ID = tabular.Shorten(tabular.TerminalSafe(id), maxListText)
		}
		byKind[kind] = append(byKind[kind], one)
	}
	for _, kind := range kindOrder {
		if len(byKind[kind]) > 0 {
			out.Kinds = append(out.Kinds, web.StandsOfKind{Title: kindTitles[kind], Rows: byKind[kind]})
		}
	}
	switch {
	case len(rows) == 0:
		out.Empty = "It had said nothing by then."
	case len(out.Kinds) == 0:
		out.Empty = "It needed nothing: none of the " + humanize.Number(len(rows)) + " states that it had told of was bad."
	}
	return out, nil
}
