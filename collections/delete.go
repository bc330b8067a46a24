package collections

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"statewire/internal/control"
	"statewire/internal/tabular"
	"statewire/store"
)

//go:embed sql/targeted.sql
var targetedSQL string

// Delete removes a collection and what goes by its name. One that is a subject's target stays: without it nobody would
// be asked for the subject, and its compliance would be of nobody.
func (s *Service) Delete(ctx context.Context, name string) error {
	return s.Change(ctx, name, func(revision uint64, at time.Time) error {
		c, err := s.Get(ctx, name)
		if err != nil {
			return err
		}
		if err := s.refuseTarget(ctx, name); err != nil {
			return err
		}
		c.Changed, c.Revision = at, revision
		act := control.Act{Name: "collection.delete", Object: "collection:" + name, Targets: int(c.Clients)}
		return control.Recorded(ctx, s.recorder(), act, func() error { return s.delete(ctx, c) })
	})
}

// subjectsNamed is how many subjects a refusal names.
const subjectsNamed = 5

// refuseTarget says what the collection is the target of.
func (s *Service) refuseTarget(ctx context.Context, name string) error {
	var subjects []string
	args := []any{store.TextArg("name", name)}
	err := s.store.EachRow(ctx, targetedSQL, args, func(scan func(...any) error) error {
		var subject, title string
		err := scan(&subject, &title)
		if title != "" && !strings.HasSuffix(subject, "/"+title) {
			subject += " (" + tabular.TerminalSafe(tabular.Shorten(title, 60)) + ")"
		}
		subjects = append(subjects, subject)
		return err
	})
	if err != nil {
		return fmt.Errorf("look what collection %s is the target of: %w", name, err)
	}
	if len(subjects) == 0 {
		return nil
	}
	more := ""
	if n := len(subjects) - subjectsNamed; n > 0 {
		subjects, more = subjects[:subjectsNamed], fmt.Sprintf(" and %d more", n)
	}
	return control.Invalid("collection %s is the target of %s%s: set another by `statewire target set KIND/ID --collection "+
		"NAME`, or take it away by `statewire target clear KIND/ID`, then delete it", name, strings.Join(subjects, ", "), more)
}

func (s *Service) delete(ctx context.Context, c Collection) (err error) {
	if s.follower != nil {
		err = s.follower.Forget(ctx, c)
	}
	err = errors.Join(err, s.putCollection(ctx, c, true), s.tidyMembers(ctx, c), s.forgetKept(ctx, c.Name))
	if err != nil {
		return err
	}
	s.log.Info("collection deleted", "collection", c.Name)
	return s.reload(ctx)
}
