package names

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"statewire/internal/control"
	"statewire/internal/parse"
)

// Options are how a list is loaded.
type Options struct {
	Replace bool `json:"replace"` // what no file has any more goes, as far as the files' columns tell
	DryRun  bool `json:"dry_run"` // nothing is stored

	By *control.Who `json:"by,omitempty"` // on whose behalf; nil: of who calls
}

// Result is what loading a list changed, or would.
type Result struct {
	Added     int `json:"added"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"`
	Removed   int `json:"removed"`    // by Replace
	NeverSeen int `json:"never_seen"` // ids that no client of this site ever told of
}

// Load stores what files say. Where a file lacks a column, what was said before stays.
func (s *Service) Load(ctx context.Context, list List, o Options) (result Result, err error) {
	if o.By != nil {
		ctx = control.WithWho(ctx, *o.By)
	}
	if len(list.Lines) == 0 && !o.Replace {
		return result, control.Invalid("there is no name to load")
	}
	if err := s.checkTargets(ctx, list); err != nil {
		return result, err
	}
	if result.NeverSeen, err = s.neverSeen(ctx, list); err != nil {
		return result, err
	}
	err = s.alone(ctx, func() error {
		before, err := s.kept(ctx, "")
		if err != nil {
			return err
		}
		entries := result.changes(before, list, o.Replace)
		if o.DryRun || len(entries) == 0 {
			return nil
		}
		act := control.Act{Name: "names.load", Object: fmt.Sprintf("names:%d", len(entries)), Params: entries}
		return control.Recorded(ctx, s.recorder, act, func() error { return s.put(ctx, entries) })
	})
	if err == nil && !o.DryRun {
		s.log.Info("names loaded", "added", result.Added, "changed", result.Changed, "removed", result.Removed)
	}
	return result, err
}

// changes counts what a list changes, and returns what has to be stored for it.
func (r *Result) changes(before map[key]Entry, list List, replace bool) (entries []Entry) {
	named := make(map[key]bool, len(list.Lines))
	for _, line := range list.Lines {
		old, had := before[line.key()]
		next := line.over(old)
		named[line.key()] = true
		switch {
		case !had:
			r.Added++
		case next == old:
			r.Unchanged++
			continue
		default:
			r.Changed++
		}
		entries = append(entries, next)
	}
	if !replace {
		return entries
	}
	for _, k := range slices.SortedFunc(maps.Keys(before), compareKeys) {
		old := before[k]
		next := old
		for _, name := range list.Columns {
			if c, ok := columnOf(name); ok {
				*c.of(&next) = ""
			}
		}
		if next.Title == "" && next.Group == "" && next.Target == "" {
			next = Entry{TopicID: k.id, TopicType: k.topicType} // what is left names nothing
		}
		if !named[k] && next != old {
			r.Removed++
			entries = append(entries, next)
		}
	}
	return entries
}

func compareKeys(a, b key) int {
	if n := strings.Compare(a.id, b.id); n != 0 {
		return n
	}
	return int(int64(a.topicType) - int64(b.topicType))
}

// over is what was said before with what the line says instead.
func (l Line) over(old Entry) Entry {
	next := old
	next.TopicID, next.TopicType = l.TopicID, l.TopicType
	for _, name := range l.Given {
		if c, ok := columnOf(name); ok {
			*c.of(&next) = *c.of(&l.Entry)
		}
	}
	return next
}

// checkTargets refuses targets that are no collections: nobody would be in them, and nothing compliant.
func (s *Service) checkTargets(ctx context.Context, list List) error {
	if !slices.ContainsFunc(list.Lines, func(l Line) bool { return l.Target != "" }) {
		return nil
	}
	sets, err := s.column(ctx, collectionsSQL)
	if err != nil {
		return fmt.Errorf("read the names of collections: %w", err)
	}
	for _, line := range list.Lines {
		if line.Target != "" && !sets[line.Target] {
			return control.Invalid("%s: %s; nothing is loaded", line.Place, noCollection(line.Target, sets))
		}
	}
	return nil
}

func noCollection(name string, sets map[string]bool) string {
	why := fmt.Sprintf("there is no collection %.80q; `statewire collection list` shows them", name)
	if near := parse.Nearest(name, slices.Collect(maps.Keys(sets))); near != "" {
		why += "; did you mean " + near + "?"
	}
	return why
}

// neverSeen is how many ids of a list nobody told of: mostly a file of another site, or ids in another spelling.
func (s *Service) neverSeen(ctx context.Context, list List) (int, error) {
	unseen := make(map[string]bool, len(list.Lines))
	for _, line := range list.Lines {
		unseen[line.TopicID] = true
	}
	err := s.store.EachRow(ctx, seenSQL, nil, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		delete(unseen, id)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look which ids were ever told of: %w", err)
	}
	return len(unseen), nil
}

// Delete removes what persons said of an id, and returns how many rows that were. A pack's or an agent's title counts
// then, or what the id says itself.
func (s *Service) Delete(ctx context.Context, id string) (removed int, err error) {
	err = s.alone(ctx, func() error {
		before, err := s.kept(ctx, id)
		if err != nil {
			return err
		}
		if len(before) == 0 {
			return control.NotFound("no person named topic id %.80q; `statewire names show ID` shows who did", id)
		}
		var entries []Entry
		for _, k := range slices.SortedFunc(maps.Keys(before), compareKeys) {
			entries = append(entries, Entry{TopicID: k.id, TopicType: k.topicType})
		}
		removed = len(entries)
		act := control.Act{Name: "names.delete", Object: objectOf(id), Params: entries}
		return control.Recorded(ctx, s.recorder, act, func() error { return s.put(ctx, entries) })
	})
	return removed, err
}

// objectOf is how the audit log calls an id.
func objectOf(id string) string { return fmt.Sprintf("topic:%.200s", id) }
