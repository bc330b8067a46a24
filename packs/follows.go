package packs

import (
	"errors"
	"fmt"
	"slices"
)

// Follows says what keeps next from replacing old: a version that is not higher, or something gone that others may
// count on, unless the first part of the version is higher. The same bytes may replace themselves.
func Follows(old, next *Pack) error {
	if next.ID != old.ID {
		return fmt.Errorf("pack %s is another than %s", next.ID, old.ID)
	}
	switch order := next.Version.Compare(old.Version); {
	case order == 0 && next.Hash == old.Hash:
		return nil
	case order == 0:
		return fmt.Errorf("pack %s %s is there with other content; give it a higher version", old.ID, old.Version)
	case order < 0:
		return fmt.Errorf("pack %s %s is older than %s, which is there", old.ID, next.Version, old.Version)
	}
	if next.Version[0] != old.Version[0] {
		return nil
	}
	if err := errors.Join(append(goneTasks(old, next), goneStates(old, next)...)...); err != nil {
		return fmt.Errorf("pack %s %s can't follow %s; give it a higher first part of the version, or keep what is gone:\n%w",
			next.ID, next.Version, old.Version, err)
	}
	return nil
}

// goneTasks are public tasks and their parameters that next has no more, or differently.
func goneTasks(old, next *Pack) (gone []error) {
	for _, was := range old.Tasks {
		if !was.Public {
			continue
		}
		i := slices.IndexFunc(next.Tasks, func(t Task) bool { return t.ID == was.ID && t.Public })
		if i < 0 {
			gone = append(gone, fmt.Errorf("the public task %s", was.ID))
			continue
		}
		for _, p := range was.Parameters {
			same := func(q Parameter) bool { return q.Name == p.Name && q.Type == p.Type }
			if !slices.ContainsFunc(next.Tasks[i].Parameters, same) {
				gone = append(gone, fmt.Errorf("the parameter %s of type %s of the task %s", p.Name, p.Type, was.ID))
			}
		}
	}
	return gone
}

// goneStates are topics and their states that next has no more.
func goneStates(old, next *Pack) (gone []error) {
	for _, was := range old.Topics {
		i := slices.IndexFunc(next.Topics, func(t Topic) bool { return t.Type == was.Type })
		if i < 0 {
			gone = append(gone, fmt.Errorf("the topic %d", was.Type))
			continue
		}
		for _, s := range was.States {
			if !slices.ContainsFunc(next.Topics[i].States, func(other State) bool { return other.ID == s.ID }) {
				gone = append(gone, fmt.Errorf("the state %d of topic %d", s.ID, was.Type))
			}
		}
	}
	return gone
}
