package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/control"
	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/names"
)

func namesCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "names",
		Short: "titles, groups and targets of topic ids",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(namesLoadCommand(g), namesListCommand(g), namesShowCommand(g), namesExportCommand(g),
		namesDeleteCommand(g))
	return cmd
}

func namesLoadCommand(g *globals) *cobra.Command {
	var o names.Options
	cmd := &cobra.Command{
		Use:   "load FILE…",
		Short: "load titles from CSV or JSON lines; - is standard input",
		Long: "Loads what people call the ids of updates, deployments and other topics. The first line of a CSV file\n" +
			"names its columns: topic_id and title, and any of topic_type, kind, article, severity, released, url, group,\n" +
			"target, superseded_by. What a file does not have stays as it is. With a wrong line nothing is loaded.",
		Example: "  statewire names load updates.csv deployments.csv --dry-run\n" +
			"  statewire names export --missing > unnamed.csv",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := g.readNames(cmd, args)
			if err != nil {
				return asResyncUsage(err)
			}
			return g.withResync(cmd, !o.DryRun, func(r resyncRole) error {
				got, err := r.names.Load(cmd.Context(), list, o)
				if err != nil {
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"added", got.Added}, {"changed", got.Changed},
					{"unchanged", got.Unchanged}, {"removed", got.Removed}, {"never_seen", got.NeverSeen}})
			})
		},
	}
	cmd.Flags().BoolVar(&o.Replace, "replace", false,
		"take away what these files' columns say of ids that they do not have")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only count what would change")
	return cmd
}

// readNames reads all files before anything is loaded.
func (g *globals) readNames(cmd *cobra.Command, files []string) (names.List, error) {
	var reader names.Reader
	for _, file := range files {
		in := io.NopCloser(cmd.InOrStdin())
		if file != "-" {
			var err error
			if in, err = g.OpenFile(file); err != nil {
				return names.List{}, err
			}
		}
		if err := errors.Join(reader.Read(file, in), in.Close()); err != nil {
			return names.List{}, err
		}
	}
	return reader.List(), nil
}

func namesListCommand(g *globals) *cobra.Command {
	values := map[string]*string{}
	var missing bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list what compliance is asked about, with titles; the report names",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := map[string]string{}
			for name, value := range values {
				if *value != "" {
					given[name] = *value
				}
			}
			if missing {
				given["missing"] = "1"
			}
			return g.withRunner(cmd, func(r *reports.Runner) error {
				return asUsage(r.WriteReport(cmd.Context(), cmd.OutOrStdout(), reports.Format(g.Format), "names", given,
					reports.Page{}))
			})
		},
	}
	for name, text := range map[string]string{"search": "only those with this in title, article or id",
		"kind": "only update, deployment, baseline, scan or other", "group": "only those of this group"} {
		values[name] = cmd.Flags().String(name, "", text)
	}
	cmd.Flags().BoolVar(&missing, "missing", false, "only those without a title")
	return cmd
}

func namesShowCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "show all that is said of a topic id, in the order that decides",
		Long: "Shows what persons (file), packs and agents say of a topic id, the first that has a title first,\n" +
			"and last, as counts, what the id is called now.",
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withNames(cmd, func(s *names.Service) error {
				list, err := s.Show(cmd.Context(), args[0])
				if err != nil {
					return asResyncUsage(err)
				}
				columns := []string{"source", "title", "kind", "topic_type", "article", "severity", "released", "url", "group",
					"target", "superseded_by", "changed_time", "topic_id"}
				rows := make([][]any, len(list))
				for i, r := range list {
					rows[i] = []any{r.Source, r.Title, r.Kind, r.TopicType, r.Article, r.Severity, r.Released, r.URL, r.Group,
						r.Target, r.SupersededBy, cli.Moment(r.Changed), r.TopicID}
				}
				return cli.WriteRecords(cmd.OutOrStdout(), g.Format, columns, rows)
			})
		},
	}
}

func namesExportCommand(g *globals) *cobra.Command {
	var missing bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "write a file for names load: CSV, or JSON lines with --format jsonl",
		Long: "Writes every id that was ever told of, those without a title first, by how many machines they concern.\n" +
			"Fill in the column title, take out the lines that you leave without one, and load it.",
		Example: "  statewire names export --missing > unnamed.csv\n  statewire names load unnamed.csv",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format := tabular.Format(g.Format)
			if format == tabular.Table {
				format = tabular.CSV
			}
			return g.withNames(cmd, func(s *names.Service) error {
				return exportNames(cmd.Context(), s, cmd.OutOrStdout(), format, missing)
			})
		},
	}
	cmd.Flags().BoolVar(&missing, "missing", false, "only ids without a title")
	return cmd
}

func exportNames(ctx context.Context, s *names.Service, to io.Writer, format tabular.Format, missing bool) error {
	out, err := tabular.New(to, format, tabular.Named(names.Columns()...), tabular.Options{})
	if err != nil {
		return err
	}
	err = s.Export(ctx, missing, func(e names.Entry) error { return out.Row(e.Values()) })
	if err != nil {
		return err
	}
	return out.End()
}

func namesDeleteCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID",
		Short: "delete what persons said of a topic id, its target and group with it",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withResync(cmd, true, func(r resyncRole) error {
				removed, err := r.names.Delete(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"removed", removed}})
			})
		},
	}
}

// withNames opens the store for a command that only reads names.
func (g *globals) withNames(cmd *cobra.Command, f func(*names.Service) error) error {
	db, _, err := commandStore(cmd.Context(), g)
	if err != nil {
		return err
	}
	return errors.Join(f(names.New(db, g.Quiet(), time.Now, control.Recorder(nil))), db.Close())
}
