package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"statewire/agent"
	"statewire/smx"
	"statewire/store"
)

// verifier walks the fleet's clients and the site's rows side by side, both in the order of client ids. It holds one client of each
// at a time, and the differences that a table will show.
type verifier struct {
	out     io.Writer
	format  string
	verdict agent.Verdict
	rows    [][]any // of the table
	lines   int     // written
}

var differenceColumns = []string{"client", "difference", "topic_type", "topic_id", "what"}

func (v *verifier) run(ctx context.Context, db *store.Store, fs *agent.FleetStore, only string) (err error) {
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
	err = fs.Each(func(client smx.ClientID, held []agent.Held) error {
		id := client.UUID()
		if only != "" && id != only {
			return nil
		}
		var site agent.SiteClient
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
func (v *verifier) note(found []agent.Difference) error {
	for i := range found {
		d := &found[i]
		row := []any{d.Client.String(), string(d.Kind), d.TopicType, d.TopicID, d.String()}
		if d.Kind == agent.OpenRange {
			row[2] = v.nothing()
		}
		if v.format == "table" {
			if len(v.rows) < mostDifferences {
				v.rows = append(v.rows, row)
			}
			continue
		}
		if err := v.line(row); err != nil {
			return err
		}
	}
	return nil
}

// nothing stands for the topic type of what is of no topic.
func (v *verifier) nothing() any {
	if v.format == "json" || v.format == "jsonl" {
		return nil
	}
	return ""
}

// line writes one difference at once.
func (v *verifier) line(row []any) error {
	v.lines++
	switch v.format {
	case "csv":
		return v.csvLine(row)
	case "jsonl":
		return writeJSON(v.out, zip(differenceColumns, row))
	}
	lead := ",\n  "
	if v.lines == 1 {
		lead = "{\"differences\": [\n  "
	}
	text, err := object(zip(differenceColumns, row))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(v.out, "%s%s", lead, text)
	return err
}

// csvLine writes a row, below the columns' names when it is the first.
func (v *verifier) csvLine(row []any) error {
	out := csv.NewWriter(v.out)
	if v.lines <= 1 {
		_ = out.Write(differenceColumns) // Error says it
	}
	if row != nil {
		line := make([]string, len(row))
		for i, value := range row {
			line[i] = fmt.Sprint(value)
		}
		_ = out.Write(line)
	}
	out.Flush()
	return out.Error()
}

// end writes what is left to say.
func (v *verifier) end() error {
	verdict := []field{
		{"clients", v.verdict.Clients}, {"topics_held", v.verdict.Topics}, {"equal", v.verdict.Equal},
		{"unconfirmed_at_site", v.verdict.Unconfirmed}, {"different", v.verdict.Differences},
	}
	switch v.format {
	case "table":
		if len(v.rows) > 0 {
			if err := writeTable(v.out, differenceColumns, v.rows); err != nil {
				return err
			}
		}
		if more := v.verdict.Differences - len(v.rows); more > 0 {
			fmt.Fprintf(v.out, "and %d more; --format jsonl prints all\n", more)
		}
		return writeRecord(v.out, v.format, verdict)
	case "json":
		lead := "\n], "
		if v.lines == 0 {
			lead = "{\"differences\": [], "
		}
		text, err := object(verdict)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(v.out, "%s%s\n", lead, text[1:])
		return err
	case "csv":
		if v.lines == 0 {
			return v.csvLine(nil)
		}
	}
	return nil
}
