package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"statewire/agent/cache"
	"statewire/cmd/statewire/cli"
	"statewire/fleet"
	"statewire/internal/tabular"
	"statewire/smx"
	"statewire/store"
)

// verifier walks the fleet's clients and the site's rows side by side, both in the order of client ids. It holds one
// client of each at a time, and the differences that a table will show.
type verifier struct {
	out     io.Writer
	format  string
	verdict fleet.Verdict
	rows    *tabular.Writer
	lines   int // differences
}

var differenceColumns = []string{"client", "difference", "topic_type", "topic_id", "what"}

func newVerifier(out io.Writer, format string) (*verifier, error) {
	rows, err := tabular.New(out, tabular.Format(format), tabular.Named(differenceColumns...),
		tabular.Options{List: "differences"})
	return &verifier{out: out, format: format, rows: rows}, err
}

func (v *verifier) run(ctx context.Context, db *store.Store, fs *fleet.Store, only string) (err error) {
	states, err := readByClient(ctx, db, fleetStatesSQL, only, scanState)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, states.close()) }()
	ranges, err := readByClient(ctx, db, fleetRangesSQL, only, scanRange)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ranges.close()) }()
	err = fs.Each(func(client smx.ClientID, held []cache.Held) error {
		id := client.UUID()
		if only != "" && id != only {
			return nil
		}
		var site fleet.SiteClient
		if site.States, err = states.of(id); err != nil {
			return err
		}
		if site.Ranges, err = ranges.of(id); err != nil {
			return err
		}
		return v.note(v.verdict.Compare(client, held, site))
	})
	if err == nil && v.verdict.Clients == 0 {
		return fmt.Errorf("the fleet's store %s has no such client; run `statewire fleet` on it first", fs.Path())
	}
	return err
}

// note keeps or writes what differs.
func (v *verifier) note(found []fleet.Difference) error {
	for i := range found {
		d := &found[i]
		row := []any{d.Client.String(), string(d.Kind), d.TopicType, d.TopicID, d.String()}
		if d.Kind == fleet.OpenRange {
			row[2] = nil // a range is of no topic
		}
		if v.lines++; v.format == "table" && v.lines > mostDifferences {
			continue
		}
		if err := v.rows.Row(row); err != nil {
			return err
		}
	}
	return nil
}

// end writes what is left to say.
func (v *verifier) end() error {
	verdict := []cli.Field{
		{"clients", v.verdict.Clients}, {"topics_held", v.verdict.Topics}, {"equal", v.verdict.Equal},
		{"unconfirmed_at_site", v.verdict.Unconfirmed}, {"different", v.verdict.Differences},
	}
	if v.format != "table" {
		return v.rows.End(cli.TabularFields(verdict)...)
	}
	if v.lines > 0 {
		if err := v.rows.End(); err != nil {
			return err
		}
	}
	if more := v.lines - mostDifferences; more > 0 {
		fmt.Fprintf(v.out, "and %d more; --format jsonl prints all\n", more)
	}
	return cli.WriteRecord(v.out, v.format, verdict)
}
