package names

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"statewire/internal/control"
	"statewire/store"
)

var (
	//go:embed sql/collections.sql
	collectionsSQL string
	//go:embed sql/export.sql
	exportSQL string
	//go:embed sql/kept.sql
	keptSQL string
	//go:embed sql/rows.sql
	rowsSQL string
	//go:embed sql/seen.sql
	seenSQL string
	//go:embed sql/subjects.sql
	subjectsSQL string
	//go:embed sql/targets.sql
	targetsSQL string
	//go:embed sql/version.sql
	versionSQL string
)

// Row is what one source says of an id.
type Row struct {
	Entry
	Source  string
	Changed time.Time
}

// Show is all that is said of an id, in the order that decides. Without any the error has control.ErrNotFound in its
// chain, unless a client told of the id.
func (s *Service) Show(ctx context.Context, id string) (rows []Row, err error) {
	err = s.store.EachRow(ctx, rowsSQL, []any{store.TextArg("topic_id", id)}, func(scan func(...any) error) error {
		r := Row{Entry: Entry{TopicID: id}}
		err := scan(&r.Source, &r.TopicType, &r.Title, &r.Kind, &r.Article, &r.Severity, &r.Released, &r.URL, &r.Group,
			&r.Target, &r.SupersededBy, &r.Changed)
		rows = append(rows, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what is said of topic id %.80q: %w", id, err)
	}
	told, err := s.subjects(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 && len(told) == 0 {
		return nil, unknownID(id)
	}
	for _, t := range told {
		rows = append(rows, Row{Entry: Entry{TopicID: id, TopicType: t.topicType, Kind: t.kind, Title: t.title},
			Source: "counts"})
	}
	return rows, nil
}

func unknownID(id string) error {
	return control.NotFound("nobody named topic id %.80q, and no client told of it; ids are what the column topic_id of "+
		"the reports shows, letter by letter", id)
}

// subject is what compliance is asked about under an id.
type subject struct {
	kind      string
	topicType uint32
	title     string
}

func (s *Service) subjects(ctx context.Context, id string) (list []subject, err error) {
	err = s.store.EachRow(ctx, subjectsSQL, []any{store.TextArg("topic_id", id)}, func(scan func(...any) error) error {
		var one subject
		err := scan(&one.kind, &one.topicType, &one.title)
		list = append(list, one)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look what topic id %.80q is: %w", id, err)
	}
	return list, nil
}

// Export hands over every subject as a file has it, those without a title first, by how many machines they concern; or
// those alone.
func (s *Service) Export(ctx context.Context, missing bool, take func(Entry) error) error {
	err := s.store.EachRow(ctx, exportSQL, []any{store.FlagArg("missing", missing)}, func(scan func(...any) error) error {
		var e Entry
		if err := scan(&e.TopicID, &e.TopicType, &e.Title, &e.Kind, &e.Article, &e.Severity, &e.Released, &e.URL, &e.Group,
			&e.Target, &e.SupersededBy); err != nil {
			return err
		}
		return take(e)
	})
	if err != nil {
		return fmt.Errorf("export names: %w", err)
	}
	return nil
}

// kept is what persons said of an id, or of all, without what was deleted.
func (s *Service) kept(ctx context.Context, id string) (map[key]Entry, error) {
	all := map[key]Entry{}
	err := s.store.EachRow(ctx, keptSQL, []any{store.TextArg("topic_id", id)}, func(scan func(...any) error) error {
		var e Entry
		var deleted uint8
		var version uint64
		err := scan(&e.TopicID, &e.TopicType, &e.Title, &e.Kind, &e.Article, &e.Severity, &e.Released, &e.URL, &e.Group,
			&e.Target, &e.SupersededBy, &deleted, &version)
		if err == nil && deleted == 0 {
			all[e.key()] = e
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the names that persons gave: %w", err)
	}
	return all, nil
}

// column reads a query's one column of text.
func (s *Service) column(ctx context.Context, sql string) (map[string]bool, error) {
	all := map[string]bool{}
	err := s.store.EachRow(ctx, sql, nil, func(scan func(...any) error) error {
		var text string
		err := scan(&text)
		all[text] = true
		return err
	})
	return all, err
}

// put stores entries; those that say nothing are deleted. The version is one after the greatest, never a clock's: who
// comes later counts.
func (s *Service) put(ctx context.Context, entries []Entry) error {
	var version uint64
	if err := s.store.Conn().QueryRow(ctx, versionSQL).Scan(&version); err != nil {
		return fmt.Errorf("read the version of names: %w", err)
	}
	n, at := len(entries), s.now().UTC()
	text := make([][]string, 9)
	for i := range text {
		text[i] = make([]string, n)
	}
	types, released, times := make([]uint32, n), make([]*time.Time, n), make([]time.Time, n)
	sources, deleted, versions := make([]string, n), make([]uint8, n), make([]uint64, n)
	for i, e := range entries {
		for j, value := range []string{e.TopicID, e.Title, e.Kind, e.Article, e.Severity, e.URL, e.Group, e.Target,
			e.SupersededBy} {
			text[j][i] = value
		}
		types[i], released[i], times[i] = e.TopicType, e.release(), at
		sources[i], deleted[i], versions[i] = "file", store.Flag(e.empty()), version+1
	}
	err := s.store.Insert(ctx, `INSERT INTO topic_titles (topic_id, topic_type, source, title, kind, article, severity,
		released, url, grp, target, superseded_by, changed_time, deleted, version)`,
		text[0], types, sources, text[1], text[2], text[3], text[4], released, text[5], text[6], text[7], text[8], times,
		deleted, versions)
	if err != nil {
		return fmt.Errorf("store %d names: %w", n, err)
	}
	return nil
}
