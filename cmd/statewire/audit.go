package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"statewire/audit"
	"statewire/cmd/statewire/cli"
	"statewire/internal/control"
	"statewire/internal/tabular"
	"statewire/site"
)

// auditor is the site's audit log for what commands do.
func (g *globals) auditor() *site.Auditor { return site.NewAuditor(g.Data, g.Quiet()) }

// recorder keeps there what a command does itself.
func (g *globals) recorder() control.Recorder { return g.auditor().Recorder() }

// reading records what is read, where a site runs. Without one reading changes nothing on the disk.
func (g *globals) reading(ctx context.Context, act control.Act, do func() error) error {
	if !site.Listens(site.IdentitySocket(g.Data)) {
		return do()
	}
	return control.Recorded(ctx, g.recorder(), act, do)
}

// setAside names the files of corrupt that an action is about.
func setAside(names []string) string {
	if len(names) == 1 {
		return "file:" + names[0]
	}
	return cli.FmtCount(len(names), "file")
}

func auditCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "what was done by whom: list it, export it, and check that nobody changed it",
		Long: "Every action has a line in the folder audit of the data directory before it is done, and one that says how\n" +
			"it went. These commands only read, and a site may run meanwhile: then list and export have lines, too.",
		Args: cli.UnknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(auditListCommand(g), auditExportCommand(g), auditVerifyCommand(g))
	return cmd
}

// auditChoice says which actions are listed.
type auditChoice struct {
	since, until  time.Time
	actor, action string
}

func (c auditChoice) takes(l audit.Line) bool {
	return l.Of == 0 && !l.Time.Before(c.since) && (c.until.IsZero() || l.Time.Before(c.until)) &&
		(c.actor == "" || l.Actor == c.actor) && (c.action == "" || l.Action == c.action)
}

func auditListCommand(g *globals) *cobra.Command {
	var choice auditChoice
	var since, until string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "list the actions, the oldest first, each with how it went",
		Example: "  statewire audit list --since 2026-11-01 --action resync.request",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if choice.since, err = parseTime("since", since); err != nil {
				return err
			}
			if choice.until, err = parseTime("until", until); err != nil {
				return err
			}
			return g.reading(cmd.Context(), control.Act{Name: "audit.read", Object: "audit"},
				func() error { return g.auditList(cmd, choice) })
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "not before this time, as 2026-01-31T12:00:00Z or 2026-01-31")
	cmd.Flags().StringVar(&until, "until", "", "before this time")
	cmd.Flags().StringVar(&choice.actor, "actor", "", "by this actor only, as local:0 or token:7Q2M4K8A")
	cmd.Flags().StringVar(&choice.action, "action", "", "this action only, as policy.set")
	return cmd
}

var auditColumns = []string{"seq", "time", "actor", "role", "from", "action", "object", "targets", "reason", "outcome",
	"detail", "params_sha256"}

func (g *globals) auditList(cmd *cobra.Command, choice auditChoice) error {
	var chosen []audit.Line
	outcomes := map[uint64]audit.Line{}
	unread, err := audit.Lines(cmd.Context(), site.AuditDir(g.Data), func(l audit.Line) error {
		if choice.takes(l) {
			chosen = append(chosen, l)
		} else if l.Of > 0 {
			outcomes[l.Of] = audit.Line{Outcome: l.Outcome, Detail: l.Detail}
		}
		return nil
	})
	if err != nil {
		return g.noAudit(err)
	}
	rows := make([][]any, len(chosen))
	for i, l := range chosen {
		how := outcomes[l.Seq]
		rows[i] = []any{l.Seq, cli.Moment(l.Time), l.Actor, l.Role, l.From, l.Action, l.Object, l.Targets, l.Reason,
			how.Outcome, how.Detail, l.ParamsSHA256}
	}
	columns := auditColumns
	if g.Format == "table" { // the hash is for programs
		columns = columns[:len(columns)-1]
		for i := range rows {
			rows[i] = rows[i][:len(columns)]
		}
	}
	if err := g.writeCapped(cmd.OutOrStdout(), columns, rows); err != nil || unread == 0 {
		return err
	}
	return fmt.Errorf("%s cannot be read; `statewire audit verify` says which", cli.FmtCount(unread, "line"))
}

// noAudit says what to do where there is no log.
func (g *globals) noAudit(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; name the site's data directory with --data: a site has a log from its first action on", err)
	}
	return err
}

func auditExportCommand(g *globals) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "write the exact bytes of all lines, the oldest first",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.reading(cmd.Context(), control.Act{Name: "audit.export", Object: "audit"}, func() error {
				if out == "" {
					return g.noAudit(audit.Export(cmd.Context(), site.AuditDir(g.Data), cmd.OutOrStdout()))
				}
				return g.noAudit(exportTo(cmd.Context(), site.AuditDir(g.Data), out))
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "into this file, which must not be there (default standard output)")
	return cmd
}

// exportTo leaves no file that is not whole.
func exportTo(ctx context.Context, dir, path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	if err := errors.Join(audit.Export(ctx, dir, f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func auditVerifyCommand(g *globals) *cobra.Command {
	var o audit.VerifyOptions
	var heads []string
	var withStore bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "check the whole log: exit code 1 names each line that was changed, removed, doubled, moved or cut",
		Long: "Reads every line, and compares each with the hash that the next one names and with the signed heads. The\n" +
			"verifier key that it prints, kept elsewhere with a head, also shows a log that was made anew with its key.",
		Example: "  statewire audit verify --head kept/head --key statewire/audit+1a2b3c4d+AX…",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Heads = map[string][]byte{}
			for _, path := range heads {
				text, err := g.ReadFile(path)
				if err != nil {
					return fmt.Errorf("read a head: %w", err)
				}
				o.Heads[path] = text
			}
			if withStore {
				if err := g.storedHeads(cmd.Context(), o.Heads); err != nil {
					return err
				}
			}
			r, err := audit.Verify(cmd.Context(), site.AuditDir(g.Data), o)
			if err != nil {
				return g.noAudit(err)
			}
			return g.writeVerified(cmd.OutOrStdout(), r)
		},
	}
	cmd.Flags().StringVar(&o.Verifier, "key", "",
		"the verifier key, NAME+HASH+KEY (default that of the key in the folder)")
	cmd.Flags().StringArrayVar(&heads, "head", nil, "a head that was kept elsewhere (repeatable)")
	cmd.Flags().BoolVar(&withStore, "store", false, "compare with the heads that the store has, too")
	return cmd
}

// storedHeads adds the heads that the store has.
func (g *globals) storedHeads(ctx context.Context, heads map[string][]byte) error {
	db, _, err := commandStore(ctx, g)
	if err != nil {
		return err
	}
	err = site.StoredHeads(ctx, db, func(h audit.Head) {
		heads[fmt.Sprintf("the store's head of %s", h.Time.Format(time.RFC3339))+fmt.Sprint(" seq ", h.Seq)] = []byte(h.Note)
	})
	return errors.Join(err, db.Close())
}

// writeVerified says what was found, and fails when the log is not what was written.
func (g *globals) writeVerified(w io.Writer, r audit.Report) error {
	if len(r.Faults) == 0 {
		return cli.WriteRecord(w, g.Format, []cli.Field{{"lines", r.Lines}, {"files", r.Files}, {"seq", r.Seq},
			{"hash", r.Hash}, {"head_seq", r.Head.Seq}, {"without_outcome", r.Open}, {"torn_lines", len(r.Torn)},
			{"verifier", r.Verifier}})
	}
	rows := make([][]any, len(r.Faults))
	for i, f := range r.Faults {
		rows[i] = []any{f.Seq, f.File, f.Line, f.Problem}
	}
	if err := cli.WriteRecords(w, g.Format, []string{"seq", "file", "line", "problem"}, rows); err != nil {
		return err
	}
	return fmt.Errorf("the audit log is not what was written: %s", tabular.TerminalSafe(r.Faults[0].String()))
}
