package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/resync"
)

func resyncCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resync",
		Short: "gaps in the clients' serials, and the resyncs that close them",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(resyncCheckCommand(g), resyncRequestCommand(g), resyncAcceptCommand(g), resyncListCommand(g))
	return cmd
}

func resyncRequestCommand(g *globals) *cobra.Command {
	var targets targetFlags
	var dry bool
	cmd := &cobra.Command{
		Use:   "request",
		Short: "ask clients for a resync now",
		Long: "Asks clients to send their whole cache again. No minimum age and no interval holds a request; reports of " +
			"the client that\n" +
			"wait unread and resync.max_outstanding do. Who cannot be asked now is asked as soon as that is over.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withTarget(cmd, &targets, !dry,
				func(r resyncRole, t resync.Target) error { return g.request(cmd, r, t, dry) })
		},
	}
	targets.registerClients(cmd)
	targets.registerCollection(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	g.registerCreate(cmd)
	return cmd
}

// withTarget is withResync for a command that concerns the clients named by its flags.
func (g *globals) withTarget(cmd *cobra.Command, targets *targetFlags, writes bool,
	do func(resyncRole, resync.Target) error) error {
	target, err := g.target(cmd.Context(), targets)
	if err != nil {
		return err
	}
	return g.withResync(cmd, writes, func(r resyncRole) error { return do(r, target) })
}

func (g *globals) request(cmd *cobra.Command, r resyncRole, target resync.Target, dry bool) error {
	bar := newBar(cmd.ErrOrStderr(), -1, "request", "clients")
	out, err := r.Request(cmd.Context(), target, resync.RequestOptions{
		By: caller(), DryRun: dry, Rows: -1, Progress: func(done, total int) { bar.ChangeMax(total); _ = bar.Set(done) },
	})
	if err != nil {
		return err
	}
	if out.Clients == 0 {
		return fmt.Errorf("this site has never heard of %s; nobody to ask", nameUnknown(out.Unknown, out.UnknownTotal))
	}
	fields := []cli.Field{
		{"clients", out.Clients}, {"unknown", out.UnknownTotal}, {"issued", out.IssuedTotal}, {"waiting", out.Waiting},
		{"outstanding", out.Outstanding}, {"dry_run", out.DryRun},
	}
	if g.Format == "json" || g.Format == "jsonl" {
		fields = append(fields, cli.Field{"resyncs", orEmpty(out.Issued)}, cli.Field{"held", out.HeldTotals},
			cli.Field{"unknown_clients", orEmpty(out.Unknown)})
	}
	if err := cli.WriteRecord(cmd.OutOrStdout(), g.Format, fields); err != nil || g.Format != "table" {
		return err
	}
	return writeHolds(cmd.OutOrStdout(), out.HeldTotals, out.UnreadReason)
}

func nameUnknown(names []string, total int) string {
	if total == 1 {
		return "client " + names[0]
	}
	return cli.FmtCount(total, "client")
}

// orEmpty writes a list without entries as [].
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func resyncAcceptCommand(g *globals) *cobra.Command {
	var targets targetFlags
	var dry, claim bool
	cmd := &cobra.Command{
		Use:   "accept",
		Short: "take what the site has as the whole truth: close gaps without a resync",
		Long: "Accepts a baseline: for these clients nothing up to the greatest serial seen or claimed counts as missing " +
			"any more, conflicts\n" +
			"of serials are settled, and resyncs asked of them are taken back. For a site that was restored or migrated, " +
			"where everybody has\n" +
			"gaps that nobody will fill. What arrives later is stored all the same.\n\n" +
			"With --claim it accepts claims instead: a client said that it gave out serials more than 1,000,000 above all " +
			"that was received of\n" +
			"it, which the site kept aside. From then on policies tell the client to continue behind that serial. Nothing is " +
			"closed.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withTarget(cmd, &targets, !dry, func(r resyncRole, t resync.Target) error {
				return g.accept(cmd, r, t, resync.AcceptOptions{DryRun: dry, Claim: claim})
			})
		},
	}
	targets.registerClients(cmd)
	targets.registerCollection(cmd)
	targets.registerAll(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	g.registerCreate(cmd)
	cmd.Flags().BoolVar(&claim, "claim", false, "accept the claims of these clients that are kept aside, and no baseline")
	return cmd
}

func (g *globals) accept(cmd *cobra.Command, r resyncRole, target resync.Target, o resync.AcceptOptions) error {
	bar := newBar(cmd.ErrOrStderr(), -1, "accept", "clients")
	o.By, o.Progress = caller(), func(done, total int) { bar.ChangeMax(total); _ = bar.Set(done) }
	out, err := r.Accept(cmd.Context(), target, o)
	if err != nil {
		return err
	}
	if out.Clients == 0 && out.UnknownTotal > 0 {
		return fmt.Errorf("this site has never heard of %s; nothing to accept", nameUnknown(out.Unknown, out.UnknownTotal))
	}
	if o.Claim {
		return cli.WriteRecord(cmd.OutOrStdout(), g.Format,
			[]cli.Field{{"claims_accepted", out.Claims}, {"dry_run", out.DryRun}})
	}
	messages := any(whole(out.Messages).number())
	if g.Format == "table" {
		messages = whole(out.Messages).words()
	}
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{
		{"clients", out.Clients}, {"unknown", out.UnknownTotal}, {"ranges_closed", out.Ranges}, {"messages_given_up",
			messages},
		{"conflicts_settled", out.Conflicts}, {"resyncs_cancelled", out.Cancelled}, {"dry_run", out.DryRun},
	})
}

// whole is a number of messages, which may be beyond every integer type.
type whole float64

func (w whole) String() string { return strconv.FormatFloat(float64(w), 'f', -1, 64) }

// number is the number as rows hold it.
func (w whole) number() json.Number { return json.Number(w.String()) }

// words is the number for a person: above 2^53 it is not exact any more.
func (w whole) words() string {
	if w <= 1<<53 {
		return w.String()
	}
	units, n := []string{"quadrillion", "quintillion", "sextillion", "septillion"}, float64(w)/1e15
	for n >= 1000 && len(units) > 1 {
		units, n = units[1:], n/1000
	}
	return fmt.Sprintf("about %.1f %s", n, units[0])
}

func resyncListCommand(g *globals) *cobra.Command {
	var client string
	var open bool
	var within time.Duration
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the resyncs, how far each is and how old",
		Long: "Lists the resyncs issued within the merge interval, or --within, the latest first. Steps: issued, picked " +
			"up (the client has the\n" +
			"request), answering (a report of the answer arrived), completed; or accepted (a baseline was), replaced (asked " +
			"again before its\n" +
			"time was over), unanswered (not completed within the merge interval of then), late (completed after that).",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if within < 0 {
				return cli.Usage(errors.New("--within is negative; write how far to look back, as 72h"))
			}
			o := resync.ListOptions{Within: within, Open: open}
			if client != "" {
				var err error
				if o.Client, err = g.oneClient(cmd.Context(), client); err != nil {
					return err
				}
			}
			return g.withResync(cmd, false, func(r resyncRole) error {
				list, err := r.List(cmd.Context(), o)
				if err != nil {
					return err
				}
				return g.writeStatuses(cmd.OutOrStdout(), list)
			})
		},
	}
	cmd.Flags().StringVar(&client, "client", "", "of this client only, by its id or computer name")
	cmd.Flags().BoolVar(&open, "outstanding", false, "only those that still owe their answer")
	cli.DurationVar(cmd.Flags(), &within, "within", "issued within this time, as 72h or 30d (default the merge interval)")
	return cmd
}

// writeStatuses writes all that is known of each resync; a person is shown what fits.
func (g *globals) writeStatuses(w io.Writer, list []resync.Status) error {
	rows := make([][]any, len(list))
	if g.Format == "table" {
		for i, s := range list {
			rows[i] = []any{s.Client, s.Name, s.Number, why(s), s.Step, s.Age.Truncate(time.Second), cli.Stamp(s.Issued),
				cli.Stamp(s.PickedUp), cli.Stamp(s.Completed)}
		}
		return g.writeCapped(w, []string{"client_id", "netbios_name", "number", "reason", "step", "age", "issued",
			"picked up", "completed"}, rows)
	}
	columns := []string{"client_id", "netbios_name", "number", "reason", "by", "next_serial", "step", "age_seconds",
		"issued_time", "picked_up_time",
		"answering_time", "completed_time", "expired_time"}
	for i, s := range list {
		rows[i] = []any{s.Client, s.Name, s.Number, s.Reason, s.By, s.NextSerial, s.Step, json3(s.Age.Seconds()),
			cli.Moment(s.Issued), cli.Moment(s.PickedUp),
			cli.Moment(s.Answering), cli.Moment(s.Completed), cli.Moment(s.Expired)}
	}
	return cli.WriteRecords(w, g.Format, columns, rows)
}

// why is the reason, and who asked.
func why(s resync.Status) string {
	if s.By == "" {
		return s.Reason
	}
	return s.Reason + " by " + s.By
}

// terminalRows is how many rows a terminal is shown.
const terminalRows = 40

// writeCapped writes rows; on a terminal the first of them and how many there are.
func (g *globals) writeCapped(w io.Writer, columns []string, rows [][]any) error {
	shown := rows
	if g.Format == "table" && cli.IsTerminal(w) && len(rows) > terminalRows {
		shown = rows[:terminalRows]
	}
	if err := cli.WriteRecords(w, g.Format, columns, shown); err != nil {
		return err
	}
	if len(shown) < len(rows) {
		_, err := fmt.Fprintf(w, "%d of %d; --format csv writes all of them\n", len(shown), len(rows))
		return err
	}
	return nil
}
