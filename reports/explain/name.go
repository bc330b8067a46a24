package explain

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// explainName says what is known of a computer name that no client has: clients may have had it before, and the relay
// may have refused reports that named it.
func (x *Explainer) explainName(ctx context.Context, name string) (*Explanation, error) {
	out := UnknownName(name)
	params := map[string]string{"name": strings.ToValidUTF8(name, "\ufffd")}
	before, err := x.ask(ctx, "former-names", params)
	if err != nil {
		return nil, err
	}
	refused, err := x.ask(ctx, "refused-names", params)
	if err != nil {
		return nil, err
	}
	if len(before)+len(refused) > 0 {
		out.Facts = nil
	}
	for _, row := range before {
		out.Facts = append(out.Facts, formerName(name, row))
	}
	for _, row := range refused {
		out.Facts = append(out.Facts, refusedName(name, row))
	}
	if len(before) > 0 {
		out.Summary = fmt.Sprintf("No client of this site is called %s now; %d %s so before.", tabular.Shorten(name, 64),
			len(before), humanize.Plural(len(before), "client was called", "clients were called"))
	}
	return out, nil
}

// formerName tells of a client that had the name.
func formerName(name string, row reports.Record) Fact {
	id, _ := uuid.Parse(row.Raw("client_id"))
	at, since := row.Time("last_report"), "its latest report gives no name"
	if now := row.Raw("now"); now != "" {
		since = "now it is called " + tabular.Shorten(now, 64)
	}
	text := fmt.Sprintf("%s was called %s before; %s.", WireID(id), tabular.Shorten(name, 64), since)
	if !at.IsZero() {
		text = fmt.Sprintf("%s was called %s in a report that arrived at %s; %s.", WireID(id), tabular.Shorten(name, 64),
			humanize.Clock(at), since)
	}
	fact := Fact{Code: "former_name", Severity: Note, Text: text}
	if !at.IsZero() {
		fact.Time = &at
	}
	return fact
}

// refusedName tells of a client whose refused report gave the name.
func refusedName(name string, row reports.Record) Fact {
	id, _ := uuid.Parse(row.Raw("client_id"))
	at := row.Time("refused_time")
	return Fact{Code: "report_refused", Severity: Bad, Time: &at, Text: fmt.Sprintf(
		"The relay refused a report that named this computer, at %s: %s. It was of the client %s; ask about that for more.",
		humanize.Clock(at), row.Raw("code"), WireID(id))}
}
