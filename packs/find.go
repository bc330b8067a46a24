package packs

import (
	"fmt"
	"strings"
)

// Find is the task that a push may start by this name: its whole id, or, in any case of letters, the last part of it
// where only one ends so.
func (p *Pack) Find(name string) (Task, error) {
	var found []Task
	var known []string
	for _, t := range p.Tasks {
		if !t.Public || !t.Remotable {
			continue
		}
		if t.ID == name {
			return t, nil
		}
		last := t.ID[strings.LastIndexByte(t.ID, '.')+1:]
		known = append(known, last)
		if strings.EqualFold(last, name) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return Task{}, fmt.Errorf("pack %s has no task %.80q that may be asked for%s", p.ID, name, allowed(name, known))
	case 1:
		return found[0], nil
	}
	return Task{}, fmt.Errorf("pack %s has several tasks %.80q: %s and %s; give the whole id", p.ID, name, found[0].ID,
		found[1].ID)
}
