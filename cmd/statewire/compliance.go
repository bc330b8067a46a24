package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/humanize"
	"statewire/internal/tabular"
	"statewire/reports"
)

// worstShown is how many updates and deployments the summary names.
const worstShown = 10

// complianceCommand is the first question of a person: how do we stand, with what, and with this?
func complianceCommand(g *globals) *cobra.Command {
	var ask asking
	var collection string
	cmd := &cobra.Command{
		Use:   "compliance [SUBJECT]",
		Short: "how many machines have what they need, and what most of them lack; or where machines stand on one subject",
		Long: "Without a subject: how many machines have all that they need, and the ten updates and deployments that most " +
			"machines lack. With one: where the machines of the site, or of a collection, stand on it.\n\n" +
			"A subject is a title or a part of it, an id, or KIND/ID as in update/curl=7.88.1-10+deb12u15.",
		Example: "  statewire compliance\n  statewire compliance 'curl 7.88'\n  statewire compliance deployment/OFFICE --collection web",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usage(fmt.Errorf("compliance takes one subject, got %d; put quotes around a title with spaces", len(args)))
			}
			return nil
		},
		ValidArgsFunction: g.completeSubject,
		RunE: func(cmd *cobra.Command, args []string) error {
			page, view, err := ask.view(cmd)
			if err != nil {
				return err
			}
			values := map[string]string{}
			if collection != "" {
				values["collection"] = collection
			}
			return g.withRunner(cmd, func(r *reports.Runner) error {
				if len(args) == 0 {
					return asUsage(writeSummary(cmd.Context(), cmd.OutOrStdout(), r, g.Format, values, view))
				}
				values["subject"] = args[0]
				return asUsage(r.WriteReportView(cmd.Context(), cmd.OutOrStdout(), reports.Format(g.Format), "subject", values,
					page, view))
			})
		},
	}
	ask.register(cmd)
	cmd.Flags().StringVar(&collection, "collection", "", "only the members of this collection")
	_ = cmd.RegisterFlagCompletionFunc("collection", g.completeParam(reports.Param{Name: "collection"})) // it is there
	for _, name := range []string{"param", "limit", "sort"} {
		_ = cmd.Flags().MarkHidden(name)
	}
	return cmd
}

// writeSummary says how the machines stand, and what most of them lack.
func writeSummary(ctx context.Context, w io.Writer, r *reports.Runner, format string, values map[string]string,
	view reports.View) error {
	sentence, err := machinesSentence(ctx, r, values)
	if err != nil {
		return err
	}
	worst, err := worstSubjects(ctx, r, values)
	if err != nil {
		return err
	}
	columns := []tabular.Column{{Name: "title"}, {Name: "not_compliant"}, {Name: "percent"}, {Name: "compliant", Rank: 1},
		{Name: "kind", Rank: 2}, {Name: "topic_id", Rank: 3}}
	o := tabular.Options{Width: view.Width, Colour: view.Colour, NoHeader: view.NoHeader, List: "worst",
		Head: []tabular.Field{{Name: "summary", Value: sentence}}}
	f := tabular.Format(format)
	if f == tabular.Table {
		if len(worst) == 0 {
			_, err = fmt.Fprintf(w, "%s\nNo machine lacks an update or a deployment.\n",
				tabular.Wrap(sentence, view.Width))
			return err
		}
		if _, err := fmt.Fprintf(w, "%s\n\n", tabular.Wrap(sentence, view.Width)); err != nil {
			return err
		}
	}
	rows := make([][]any, len(worst))
	for i, s := range worst {
		rows[i] = []any{s.title, s.lacking, s.percent, s.compliant, s.kind, s.id}
	}
	return tabular.Write(w, f, columns, rows, o)
}

// machinesSentence says how many machines have all that they need.
func machinesSentence(ctx context.Context, r *reports.Runner, values map[string]string) (string, error) {
	found, err := r.Records(ctx, "machines-summary", values, reports.Page{})
	if errors.Is(err, reports.ErrNoReport) || err == nil && len(found) == 0 {
		return "No machine has said yet what it needs.", nil
	}
	if err != nil {
		return "", err
	}
	all := found[0]
	if all.Count("need_any") == 0 {
		return fmt.Sprintf("No machine needs an update or a deployment. %s are not known.",
			humanize.Number(all.Count("not_known"))), nil
	}
	return fmt.Sprintf("%s of %s machines that need one of these updates have all of them (%s %%). %s are not known.",
		humanize.Number(all.Count("have_all")), humanize.Number(all.Count("need_any")), all.Text("have_all_percent"),
		humanize.Number(all.Count("not_known"))), nil
}

// worst is a subject that machines lack.
type worst struct {
	kind, title, id    string
	lacking, compliant int
	percent            any
}

// worstSubjects are the updates and deployments that most machines lack; those that none lacks are left out.
func worstSubjects(ctx context.Context, r *reports.Runner, values map[string]string) (all []worst, err error) {
	for kind, columns := range map[string][]string{
		"update":     {"compliant", "bad", "pending", "restart", "failed"},
		"deployment": {"success", "bad", "in_progress", "restart", "error"},
	} {
		found, err := r.Records(ctx, kind+"s", values, reports.Page{Limit: worstShown})
		if errors.Is(err, reports.ErrNoReport) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			s := worst{kind: kind, title: f.Raw("title"), id: f.Raw("topic_id"), compliant: f.Count(columns[0]),
				percent: f["percent"]}
			for _, c := range columns[1:] {
				s.lacking += f.Count(c)
			}
			if s.lacking > 0 {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b worst) int {
		return cmp.Or(b.lacking-a.lacking, cmp.Compare(a.title, b.title), cmp.Compare(a.id, b.id))
	})
	return all[:min(worstShown, len(all))], nil
}
