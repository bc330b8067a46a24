package names

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"statewire/internal/control"
)

// Target is a subject for which a collection is the population.
type Target struct {
	Kind       string
	TopicType  uint32
	TopicID    string
	Title      string
	Collection string
	Members    *uint64 // nil where there is no such collection any more
}

// ParseSubject reads KIND/ID; an id may hold slashes itself.
func ParseSubject(text string) (kind, id string, err error) {
	kind, id, ok := strings.Cut(text, "/")
	if !ok || id == "" || !slices.Contains(Kinds, kind) {
		return "", "", control.Invalid("subject %.80q: write KIND/ID with one of the kinds %s", text,
			strings.Join(Kinds, ", "))
	}
	if err := checkText(id, maxID); err != nil {
		return "", "", control.Invalid("the topic id %v", err)
	}
	return kind, id, nil
}

// Targets are the subjects that have one.
func (s *Service) Targets(ctx context.Context) (list []Target, err error) {
	err = s.store.EachRow(ctx, targetsSQL, nil, func(scan func(...any) error) error {
		var t Target
		err := scan(&t.Kind, &t.TopicType, &t.TopicID, &t.Title, &t.Collection, &t.Members)
		list = append(list, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the targets: %w", err)
	}
	return list, nil
}

// SetTarget makes a collection the population of a subject: as the column target of a file would. An update, deployment
// or baseline may have one before anybody told of it.
func (s *Service) SetTarget(ctx context.Context, kind, id, collection string) error {
	sets, err := s.column(ctx, collectionsSQL)
	if err != nil {
		return fmt.Errorf("read the names of collections: %w", err)
	}
	if !sets[collection] {
		return control.Invalid("%s", noCollection(collection, sets))
	}
	return s.alone(ctx, func() error {
		topicType, err := s.typeFor(ctx, kind, id)
		if err != nil {
			return err
		}
		act := control.Act{Name: "target.set", Object: objectOf(id), Params: []string{kind, id, collection}}
		return s.retarget(ctx, act, id, func(before map[key]Entry) []Entry {
			chosen := key{id, topicType}
			e := before[chosen]
			e.TopicID, e.TopicType, e.Target = id, topicType, collection
			if e.Kind == "" && topicType == 0 {
				e.Kind = kind
			}
			entries := []Entry{e}
			for k, other := range before { // one for a single type would count before it
				if k != chosen && topicType == 0 && other.Target != "" {
					entries = append(entries, withoutTarget(other))
				}
			}
			return entries
		})
	})
}

// ClearTarget takes a subject's target away.
func (s *Service) ClearTarget(ctx context.Context, kind, id string) error {
	return s.alone(ctx, func() error {
		topicType, err := s.typeFor(ctx, kind, id)
		if err != nil {
			return err
		}
		act := control.Act{Name: "target.clear", Object: objectOf(id), Params: []string{kind, id}}
		return s.retarget(ctx, act, id, func(before map[key]Entry) (entries []Entry) {
			for k, e := range before {
				if e.Target != "" && (topicType == 0 || k.topicType == 0 || k.topicType == topicType) {
					entries = append(entries, withoutTarget(e))
				}
			}
			return entries
		})
	})
}

// withoutTarget is an entry without its target. What names nothing then is deleted.
func withoutTarget(e Entry) Entry {
	if e.Target = ""; e.Title == "" && e.Group == "" {
		return Entry{TopicID: e.TopicID, TopicType: e.TopicType}
	}
	return e
}

// typeFor is the topic type of the row that has a subject's target: 0, unless the id means several subjects.
func (s *Service) typeFor(ctx context.Context, kind, id string) (uint32, error) {
	known, err := s.subjects(ctx, id)
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(known, func(k subject) bool { return k.kind == kind })
	switch {
	case len(known) == 0 && (kind == "scan" || kind == "other"):
		return 0, unknownID(id)
	case len(known) == 0 || at >= 0 && len(known) == 1:
		return 0, nil
	case at < 0:
		return 0, control.Invalid("topic id %.80q is no %s: write %s/%.80s", id, kind, known[0].kind, id)
	}
	return known[at].topicType, nil
}

// retarget stores what change makes of what persons said of an id.
func (s *Service) retarget(ctx context.Context, act control.Act, id string, change func(map[key]Entry) []Entry) error {
	before, err := s.kept(ctx, id)
	if err != nil {
		return err
	}
	entries := change(before)
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return e == before[e.key()] })
	if len(entries) == 0 {
		return nil
	}
	return control.Recorded(ctx, s.recorder, act, func() error { return s.put(ctx, entries) })
}
