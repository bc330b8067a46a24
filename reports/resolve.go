package reports

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"statewire/internal/parse"
	"statewire/internal/tabular"
)

// Some parameters mean the same in every report that has them: `collection` and `group` have to exist, `subject` and
// `topic_id` may be given by title. What they mean is asked of the store before the report's own query.

//go:embed sql/resolve/*.sql
var resolveFiles embed.FS

// RefError is a parameter that names what the site does not have, or what it has several of.
type RefError struct {
	Report, Param, Text string
	Code                string   // "no_collection", "no_group", "no_subject" or "ambiguous"
	Matches             []string // what has that name, or nearly; at most maxMatches
}

// maxMatches is how many things of one name an error lists.
const maxMatches = 10

func (e *RefError) Error() string {
	listed := strings.Join(e.Matches, ", ")
	text := fmt.Sprintf("report %s: %s %.80q ", e.Report, e.Param, e.Text)
	switch {
	case e.Code == "ambiguous":
		return text + "can mean several: give one of " + listed
	case listed == "":
		return text + "is not known on this site"
	}
	return text + "is not known on this site; did you mean " + listed + "?"
}

// Scope is over whom an answer counts.
type Scope struct {
	Name        string    `json:"name" doc:"Name of the collection; site for all clients"`
	Clients     int       `json:"clients" doc:"Clients of the site that are in it"`
	MembersAsOf time.Time `json:"members_as_of" doc:"Since when they are its members: the latest look, for a saved query"`
}

// keptFrom is how many clients a site has whose answers about one subject come from counts that are kept: below it they are
// counted at once, which is never older than its machines and takes less than half a second.
var keptFrom = 50_000

// siteScope is the name of the scope of all clients.
const siteScope = "site"

// meaning is what the parameters of one question turned out to mean.
type meaning struct {
	scope   *Scope
	subject *Subject
	moment  *Moment           // nil: now
	hidden  map[string]string // parameters of the query that no reader gives
}

// resolve finds out what parameters of known names mean, and refuses what does not exist. A topic id that was given by
// title is replaced in values.
func (r *Runner) resolve(ctx context.Context, report *Report, values map[string]string) (m meaning, err error) {
	m.hidden = map[string]string{}
	for _, name := range report.hidden {
		m.hidden[name] = ""
	}
	if _, used := m.hidden["stale_seconds"]; used {
		m.hidden["stale_seconds"] = fmt.Sprint(int(r.staleAfter().Seconds()))
	}
	q := question{r, report, values}
	if m.moment, err = q.moment(ctx, values["as_of"]); err != nil {
		return m, err
	}
	zone, _, err := q.zone()
	if err != nil {
		return m, err
	}
	m.moment.addTo(m.hidden, zone)
	for name, value := range map[string]string{
		"counted_from": m.moment.countedFrom(values["collection"]),
		"days_from":    map[bool]string{true: "kept", false: "moves"}[values["collection"] == "" && zone == r.cfg.Timezone],
	} {
		if _, used := m.hidden[name]; used {
			m.hidden[name] = value
		}
	}
	for _, p := range report.Params {
		if err != nil || p.Type != "String" {
			continue
		}
		switch text := values[p.Name]; p.Name {
		case "collection":
			m.scope, err = q.scope(ctx, text, m.moment)
		case "group":
			err = q.group(ctx, text)
		case "topic_id":
			if title, ok := strings.CutPrefix(text, titlePrefix); ok {
				values[p.Name], err = q.topicID(ctx, title)
			}
		case "subject":
			if text == "" && p.Required {
				return m, &ParamError{report.Name, p.Name, "is required: " + p.Description}
			}
			m.subject, err = q.subject(ctx, text)
		}
	}
	if _, asked := m.hidden["subject_id"]; !asked || err != nil {
		return m, err
	}
	subject := m.subject
	if subject == nil {
		if subject, err = q.subjectOf(ctx, values["topic_type"], values["topic_id"]); err != nil {
			return m, err
		}
	}
	if _, asked := m.hidden["subject_kept"]; asked && subject != nil {
		if subject.kept, err = q.isKept(ctx, subject, m); err != nil {
			return m, err
		}
	}
	if _, used := m.hidden["spells_kept"]; used && values["collection"] == "" && zone == r.cfg.Timezone && m.moment == nil &&
		m.scope != nil && (m.scope.Clients >= keptFrom || m.subject == nil && m.scope.Clients >= keptFrom/25) {
		m.hidden["spells_kept"] = "1" // of all subjects at once there is more to count
	}
	subject.addTo(m.hidden)
	return m, nil
}

// staleAfter is how long a machine may say nothing before it counts as silent.
func (r *Runner) staleAfter() time.Duration { return r.cfg.StaleAfter }

// question is one report with the values that were given.
type question struct {
	runner *Runner
	report *Report
	values map[string]string
}

func (q question) ask(ctx context.Context, name string, params map[string]string) ([]Record, error) {
	text, err := resolveFiles.ReadFile("sql/resolve/" + name + ".sql")
	if err != nil {
		return nil, err
	}
	return q.runner.Ask(ctx, "resolve", string(text), params)
}

// scope is a collection with its size, or the whole site: clients that had reported by the moment, of today's members.
func (q question) scope(ctx context.Context, name string, then *Moment) (*Scope, error) {
	now := q.runner.now().UTC()
	until := now.AddDate(1, 0, 0) // a client's relay may be ahead of this clock
	if then != nil {
		until = then.At
	}
	params := map[string]string{"until_us": fmt.Sprint(until.UnixMicro())}
	if name == "" {
		found, err := q.ask(ctx, "site", params)
		if err != nil || len(found) == 0 {
			return nil, err
		}
		return &Scope{siteScope, found[0].Count("clients"), now}, nil
	}
	params["collection"] = name
	found, err := q.ask(ctx, "collection", params)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, q.unknown(ctx, "collection", name, "no_collection", "collections")
	}
	scope := &Scope{name, found[0].Count("clients"), now}
	if looked := found[0].Time("looked"); found[0].Raw("kind") == "query" && !looked.IsZero() {
		scope.MembersAsOf = looked
	}
	return scope, nil
}

func (q question) group(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	groups, err := q.ask(ctx, "groups", nil)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(groups, func(g Record) bool { return g.Raw("name") == name }) {
		return nil
	}
	return q.unknown(ctx, "group", name, "no_group", "groups")
}

// unknown is the refusal of a name, with the one that it most likely means.
func (q question) unknown(ctx context.Context, param, name, code, list string) error {
	known, err := q.ask(ctx, list, nil)
	if err != nil {
		return err
	}
	refused := &RefError{Report: q.report.Name, Param: param, Text: name, Code: code}
	if near := parse.Nearest(name, column(known, "name")); near != "" {
		refused.Matches = []string{tabular.TerminalSafe(near)}
	}
	return refused
}

func column(records []Record, name string) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = r.Raw(name)
	}
	return out
}
