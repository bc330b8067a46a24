package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/parse"
	"statewire/resync"
)

func resyncCheckCommand(g *globals) *cobra.Command {
	var at string
	var o resync.CheckOptions
	cmd := &cobra.Command{
		Use:   "check",
		Short: "one gap check, as the hourly job does it",
		Long: "Looks for gaps, and asks the clients that may be asked. Prints the open gaps, the resyncs issued, and who " +
			"was not asked and why.\n" +
			"--at is only the clock: all stored rows count.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.At, err = parseTime("at", at); err != nil {
				return err
			}
			o.Rows = -1
			return g.withResync(cmd, !o.DryRun, func(r resyncRole) error {
				result, err := r.Check(cmd.Context(), o)
				if err != nil {
					return err
				}
				return g.writeCheck(cmd.OutOrStdout(), result)
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "the clock of the check, as 2026-01-31T12:00:00Z (default now)")
	g.registerCreate(cmd)
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "write nothing; only say what would be found and issued")
	cmd.Flags().BoolVar(&o.Full, "full", false, "read the serials of every client anew, whatever the last check found")
	return cmd
}

// parseTime reads a flag's time; empty is the zero time.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := parse.Time(text)
	if err != nil || t.Year() < 1970 || t.Year() >= 2200 {
		return time.Time{}, cli.Usage(fmt.Errorf("--%s is %.60q; write a time from 1970 to 2199 as "+
			"2026-01-31T12:00:00Z", flag, text))
	}
	return t, nil
}

// writeCheck writes what a check found and did.
func (g *globals) writeCheck(w io.Writer, r resync.Result) error {
	switch g.Format {
	case "json":
		return cli.WriteRecord(w, g.Format, checkFields(r))
	case "table":
		return g.writeCheckTable(w, r)
	}
	return cli.WriteRecords(w, g.Format, checkColumns, checkRows(r))
}

func checkFields(r resync.Result) []cli.Field {
	return []cli.Field{
		{"time", r.At}, {"kind", r.Kind}, {"dry_run", r.DryRun}, {"compared", r.Gaps.Compared}, {"looked_at", r.Gaps.Looked},
		{"clients", r.Gaps.Clients}, {"ranges", r.Gaps.Ranges}, {"messages", whole(r.Gaps.Messages).number()},
		{"jump_ranges", r.Gaps.Jumps}, {"jump_messages", whole(r.Gaps.JumpMessages).number()}, {"claims_aside", r.Gaps.Aside},
		{"opened", r.Gaps.Opened}, {"closed", r.Gaps.Closed}, {"late", r.Gaps.Late}, {"conflicts",
			r.Gaps.Conflicts}, {"differs", r.Gaps.Differs}, {"postponed", r.Gaps.Postponed},
		{"outstanding", r.Outstanding}, {"issued_total", r.IssuedTotal}, {"held_total", r.HeldTotals}, {"unread_reason",
			r.UnreadReason},
		{"gaps", orEmpty(r.Gaps.Rows)}, {"issued", orEmpty(r.Issued)}, {"held", orEmpty(r.Held)}, {"seconds",
			json3(r.Took.Seconds())},
	}
}

// checkColumns are those of one table for gaps, resyncs and clients that were not asked: what says which a row is.
var checkColumns = []string{"what", "client_id", "first_serial", "last_serial", "detected_time", "reason", "hold",
	"number", "next_serial", "issued_time", "serial_jump"}

func checkRows(r resync.Result) [][]any {
	rows := make([][]any, 0, len(r.Gaps.Rows)+len(r.Issued)+len(r.Held))
	for _, gap := range r.Gaps.Rows {
		rows = append(rows, []any{"gap", gap.Client.String(), gap.First, gap.Last, cli.Moment(gap.Detected), nil, nil, nil,
			nil, nil, gap.Jump})
	}
	for _, one := range r.Issued {
		rows = append(rows, []any{"issued", one.Client, nil, nil, nil, one.Reason, nil, one.Number, one.NextSerial,
			cli.Moment(one.Time), nil})
	}
	for _, one := range r.Held {
		rows = append(rows, []any{"held", one.Client, nil, nil, cli.Moment(one.Since), one.Reason, one.Hold, nil, nil, nil,
			nil})
	}
	return rows
}

// writeCheckTable writes for a person: what is missing, who was asked, who was not and why.
func (g *globals) writeCheckTable(w io.Writer, r resync.Result) error {
	did, would := "resyncs issued", ""
	if r.DryRun {
		did, would = "resyncs that would be issued", "dry run, nothing was written; "
	}
	fmt.Fprintf(w, "checked as of %s (%s%s check, %s s)\n", cli.Stamp(r.At), would, r.Kind, json3(r.Took.Seconds()))
	fmt.Fprintf(w, "compared %s, read the serials of %d\n", cli.FmtCount(int(r.Gaps.Compared), "client"), r.Gaps.Looked)
	fmt.Fprintf(w, "open gaps: %s of %s, %s missing; %d new, %d closed\n", cli.FmtCount(int(r.Gaps.Ranges), "range"),
		cli.FmtCount(int(r.Gaps.Clients), "client"), plural(whole(r.Gaps.Messages).words(),
			"message"), r.Gaps.Opened, r.Gaps.Closed)
	if r.Gaps.Jumps > 0 {
		fmt.Fprintf(w, "counted apart, below serials that jumped by more than a million: %s, %s missing\n",
			cli.FmtCount(int(r.Gaps.Jumps), "range"),
			plural(whole(r.Gaps.JumpMessages).words(), "message"))
	}
	if r.Gaps.Aside > 0 {
		fmt.Fprintf(w, "claims kept aside, far above all that was received: of %s; `statewire report serial-jumps` lists "+
			"them\n", cli.FmtCount(int(r.Gaps.Aside), "client"))
	}
	if r.Gaps.Late > 0 {
		fmt.Fprintf(w, "arrived late, after a check had found them missing: %s\n", cli.FmtCount(int(r.Gaps.Late), "message"))
	}
	if r.Gaps.Conflicts+r.Gaps.Differs > 0 {
		fmt.Fprintf(w, "conflicts of serials: %d; clients that hold other states than the site: %d\n", r.Gaps.Conflicts,
			r.Gaps.Differs)
	}
	if r.Gaps.Postponed > 0 {
		fmt.Fprintf(w, "not looked at to the end: %s whose unread reports may bring what seems to be missing\n",
			cli.FmtCount(int(r.Gaps.Postponed), "client"))
	}
	if len(r.Gaps.Rows) > 0 {
		rows := make([][]any, len(r.Gaps.Rows))
		for i, gap := range r.Gaps.Rows {
			rows[i] = []any{gap.Client.String(), gap.First, gap.Last, gap.Messages(), cli.Stamp(gap.Detected)}
		}
		if err := g.writeCapped(w, []string{"client_id", "first_serial", "last_serial", "messages", "detected_time"},
			rows); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%s: %d; outstanding: %d\n", did, r.IssuedTotal, r.Outstanding)
	if len(r.Issued) > 0 {
		rows := make([][]any, len(r.Issued))
		for i, one := range r.Issued {
			rows[i] = []any{one.Client, one.Number, one.Reason, one.By, one.NextSerial}
		}
		if err := g.writeCapped(w, []string{"client_id", "number", "reason", "by", "next_serial"}, rows); err != nil {
			return err
		}
	}
	return writeHolds(w, r.HeldTotals, r.UnreadReason)
}

// plural is a number and the word it counts.
func plural(n, word string) string {
	if n == "1" {
		return n + " " + word
	}
	return n + " " + word + "s"
}

// holdWords say why clients were not asked.
var holdWords = []struct{ hold, words string }{
	{"unread", "reports of them wait in the inbox, unread"},
	{"unknown", "nobody can be asked while it is unknown whose reports wait in the inbox"},
	{"bound", "as many clients owe an answer as resync.max_outstanding allows"},
	{"interval", "asked less than resync.merge_interval ago"},
	{"age", "nothing of them is missing for as long as resync.min_missing_message_age"},
}

// writeHolds says how many clients were not asked, and why.
func writeHolds(w io.Writer, held map[string]int, unread string) error {
	for _, h := range holdWords {
		if n := held[h.hold]; n > 0 {
			words := h.words
			if h.hold == "unknown" && unread != "" {
				words += ": " + unread
			}
			if _, err := fmt.Fprintf(w, "not asked yet: %s: %s\n", cli.FmtCount(n, "client"), words); err != nil {
				return err
			}
		}
	}
	return nil
}
