package reports

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"statewire/internal/parse"
	"statewire/internal/tabular"
)

// Subject is what compliance is asked about.
type Subject struct {
	Kind   string `json:"kind" doc:"update, deployment, baseline, scan or other"`
	ID     string `json:"topic_id"`
	Type   uint32 `json:"topic_type" doc:"Its leading topic type"`
	Title  string `json:"title"`
	Target string `json:"target,omitempty" doc:"Collection that it is meant for"`

	firstSeen time.Time
	kept      bool // the site's counts of it are kept ready
}

// String is the title before the id, and whom it is meant for, as in
// "7-Zip 23 (deployment/{3F2A…}), for the collection servers".
func (s *Subject) String() string {
	text := fmt.Sprintf("%s (%s/%s)", s.Title, s.Kind, s.ID)
	if s.Target != "" {
		text += ", for the collection " + s.Target
	}
	return tabular.TerminalSafe(text)
}

// kinds are those of subjects.
var kinds = []string{"update", "deployment", "baseline", "scan", "other"}

// titlePrefix says that a title follows, and no id.
const titlePrefix = "title:"

// hiddenTypes are the parameters that a query may read although nobody gives them: those of the subject, whether its counts
// are kept (empty: they are not), those of the moment, where counts come from, and when a machine counts as silent.
var hiddenTypes = map[string]string{
	"subject_kind": "String", "subject_id": "String", "subject_type": "UInt32", "subject_target": "String",
	"subject_seen": "DateTime64(6,'UTC')", "subject_kept": "String", "stale_seconds": "UInt32",
	"moment_us": "Int64", "moment_day": "Date", "zone": "String", "counted_from": "String", "days_from": "String",
	"spells_kept": "String", "unnumbered": "String",
}

// addTo sets the subject's hidden parameters; without a subject their kind is empty.
func (s *Subject) addTo(hidden map[string]string) {
	if s == nil {
		s = &Subject{}
	}
	for name, value := range map[string]string{
		"subject_kind": s.Kind, "subject_id": s.ID, "subject_type": fmt.Sprint(s.Type), "subject_target": s.Target,
		"subject_seen": time.Unix(max(0, s.firstSeen.Unix()), int64(s.firstSeen.Nanosecond())).UTC().
			Format("2006-01-02 15:04:05.000000"),
		"subject_kept": map[bool]string{true: "1"}[s.kept],
	} {
		if _, used := hidden[name]; used {
			hidden[name] = value
		}
	}
}

// subject finds the one that is meant by KIND/ID, TYPE/ID, an id, title:TEXT, or a title or a part of it.
func (q question) subject(ctx context.Context, text string) (*Subject, error) {
	if text == "" {
		return nil, nil
	}
	title, byTitle := strings.CutPrefix(text, titlePrefix)
	if !byTitle {
		for _, named := range subjectIDs(text) {
			found, err := q.ask(ctx, "subject", named)
			if err != nil {
				return nil, err
			}
			if len(found) > 0 {
				return q.onlySubject("subject", text, found)
			}
		}
	}
	found, err := q.ask(ctx, "subject-title", map[string]string{"text": title})
	if err != nil {
		return nil, err
	}
	found = bestTitles(found)
	if len(found) == 0 || found[0].Count("exact") == 0 { // a part of a title, or all of a group's name
		groups, err := q.ask(ctx, "groups", nil)
		if err != nil {
			return nil, err
		}
		if slices.Contains(column(groups, "name"), title) {
			return nil, &ParamError{q.report.Name, "subject", fmt.Sprintf(
				"%q is a group: see `statewire report groups --group` and `report updates --group`, or give a whole title", title)}
		}
	}
	if len(found) == 0 {
		return nil, q.noTitle(ctx, "subject", text, title)
	}
	return q.onlySubject("subject", text, found)
}

// subjectIDs are the ways in which a text can name an id, the more exact ones first.
func subjectIDs(text string) (ways []map[string]string) {
	way := func(kind, topicType, id string) {
		ways = append(ways, map[string]string{"kind": kind, "type": topicType, "id": id})
	}
	head, id, _ := strings.Cut(text, "/")
	if slices.Contains(kinds, strings.ToLower(head)) {
		way(strings.ToLower(head), "0", id)
	}
	if n, err := strconv.ParseUint(head, 10, 32); err == nil && id != "" {
		way("", fmt.Sprint(n), id)
	}
	way("", "0", text)
	return ways
}

// bestTitles are those that are exactly the text, or all when none is.
func bestTitles(found []Record) []Record {
	exact := slices.IndexFunc(found, func(r Record) bool { return r.Count("exact") == 0 })
	if exact > 0 {
		return found[:exact]
	}
	return found
}

func (q question) onlySubject(param, text string, found []Record) (*Subject, error) {
	if len(found) == 1 {
		r := found[0]
		return &Subject{r.Raw("kind"), r.Raw("topic_id"), uint32(r.Uint("topic_type")), r.Raw("title"), r.Raw("target"),
			r.Time("first_seen"), false}, nil
	}
	return nil, q.ambiguous(param, text, found, func(r Record) string {
		kind := r.Raw("kind")
		if kind == "other" {
			kind = r.Raw("topic_type")
		}
		return kind + "/" + r.Text("topic_id") + " (" + r.Text("title") + ")"
	})
}

// subjectOf is the subject that a topic id of a type belongs to; one without a kind where nobody told of it and nobody
// named it, or where no id is given.
func (q question) subjectOf(ctx context.Context, topicType, id string) (*Subject, error) {
	n, err := strconv.ParseUint(topicType, 10, 32)
	none := &Subject{Type: uint32(n), ID: id}
	if err != nil || id == "" {
		return none, nil // the engine refuses what is no type
	}
	var of []string
	named := map[string]string{"kind": "", "type": "0", "id": id}
	switch n {
	case 300, 301, 302:
		of = []string{"deployment"}
	case 400, 401, 402, 500:
		of = []string{"update", "baseline"}
	case 501:
		of = []string{"scan"}
	default:
		of, named["type"] = []string{"other"}, topicType
	}
	found, err := q.ask(ctx, "subject", named)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(r Record) bool { return !slices.Contains(of, r.Raw("kind")) })
	if len(found) == 0 {
		return none, nil
	}
	return q.onlySubject("topic_id", id, found[:1])
}

// isKept says whether the summaries have the site's counts of a subject: those of a day are always taken, those of now
// where counting takes longer than they are old.
func (q question) isKept(ctx context.Context, s *Subject, m meaning) (bool, error) {
	params := map[string]string{"kind": s.Kind, "type": fmt.Sprint(s.Type), "id": s.ID}
	switch m.moment.countedFrom(q.values["collection"]) {
	case "days":
		params["day"] = m.moment.day
		found, err := q.ask(ctx, "kept-day", params)
		return len(found) > 0, err
	case "counts":
		if m.scope == nil || m.scope.Clients < keptFrom {
			return false, nil
		}
		found, err := q.ask(ctx, "kept", params)
		return len(found) > 0, err
	}
	return false, nil
}

// topicID is the one topic id that has a title, within the topic type where the report has one.
func (q question) topicID(ctx context.Context, title string) (string, error) {
	topicType := q.values["topic_type"]
	if _, err := strconv.ParseUint(topicType, 10, 32); err != nil {
		topicType = "0"
	}
	found, err := q.ask(ctx, "topic-title", map[string]string{"text": title, "type": topicType})
	if err != nil {
		return "", err
	}
	found = bestTitles(found)
	switch len(found) {
	case 0:
		return "", q.noTitle(ctx, "topic_id", titlePrefix+title, title)
	case 1:
		return found[0].Raw("topic_id"), nil
	}
	return "", q.ambiguous("topic_id", titlePrefix+title, found, func(r Record) string {
		return r.Text("topic_id") + " (" + r.Text("title") + ")"
	})
}

func (q question) ambiguous(param, text string, found []Record, name func(Record) string) error {
	refused := &RefError{Report: q.report.Name, Param: param, Text: text, Code: "ambiguous"}
	for _, r := range found[:min(maxMatches, len(found))] {
		refused.Matches = append(refused.Matches, name(r))
	}
	if len(found) > maxMatches {
		refused.Matches = append(refused.Matches, "and more")
	}
	return refused
}

// noTitle is the refusal of a title, with those that look like it.
func (q question) noTitle(ctx context.Context, param, text, title string) error {
	near, err := q.ask(ctx, "near-titles", map[string]string{"text": title})
	if err != nil {
		return err
	}
	refused := &RefError{Report: q.report.Name, Param: param, Text: text, Code: "no_subject"}
	titles := column(near, "title")
	if best := parse.Nearest(title, titles); best != "" {
		titles = append([]string{best}, slices.DeleteFunc(titles, func(t string) bool { return t == best })...)
	}
	for _, t := range titles {
		refused.Matches = append(refused.Matches, tabular.TerminalSafe(t))
	}
	return refused
}
