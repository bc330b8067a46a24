package main

import (
	"errors"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/reports/names"
)

// subjectTargetCommand says whom an update, deployment or baseline is meant for.
func subjectTargetCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "target",
		Short: "whom an update, deployment or baseline is meant for",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(targetSetCommand(g), targetListCommand(g), targetClearCommand(g))
	return cmd
}

func targetSetCommand(g *globals) *cobra.Command {
	var collection string
	cmd := &cobra.Command{
		Use:   "set KIND/ID",
		Short: "make a collection the machines over which compliance is counted",
		Long: "Makes a collection the population of a subject: its members count, whether they said anything or not,\n" +
			"and nobody else. An update, deployment or baseline may have a target before anybody reported on it.",
		Example: "  statewire target set deployment/{5A0C1C8E-0B0F-4A7E-9A42-1D5F6F0A1001} --collection servers",
		Args:    oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, id, err := names.ParseSubject(args[0])
			if err != nil {
				return asResyncUsage(err)
			}
			if collection == "" {
				return cli.Usage(errors.New("name the collection by --collection"))
			}
			return g.withResync(cmd, true, func(r resyncRole) error {
				if err := r.names.SetTarget(cmd.Context(), kind, id, collection); err != nil {
					return err
				}
				return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"subject", args[0]}, {"target", collection}})
			})
		},
	}
	cmd.Flags().StringVar(&collection, "collection", "", "the collection")
	return cmd
}

func targetListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the subjects that have a target",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withNames(cmd, func(s *names.Service) error {
				list, err := s.Targets(cmd.Context())
				if err != nil {
					return err
				}
				rows := make([][]any, len(list))
				for i, t := range list {
					rows[i] = []any{t.Title, t.Kind, t.Collection, optional(t.Members), t.TopicID}
				}
				return cli.WriteRecords(cmd.OutOrStdout(), g.Format,
					[]string{"title", "kind", "target", "clients", "topic_id"}, rows)
			})
		},
	}
}

// optional is a number of a collection; nothing where the collection is gone.
func optional(n *uint64) any {
	if n == nil {
		return nil
	}
	return *n
}

func targetClearCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "clear KIND/ID",
		Short: "take a subject's target away: compliance is counted over who scanned, or reported on it",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, id, err := names.ParseSubject(args[0])
			if err != nil {
				return asResyncUsage(err)
			}
			return g.withResync(cmd, true, func(r resyncRole) error { return r.names.ClearTarget(cmd.Context(), kind, id) })
		},
	}
}
