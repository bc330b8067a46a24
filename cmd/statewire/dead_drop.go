package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/ingest"
	"statewire/internal/control"
	"statewire/store"
)

func deadDropCommand(g *globals) *cobra.Command {
	var choice deadChoice
	var reason string
	cmd := &cobra.Command{
		Use:   "drop [NAME…]",
		Short: "delete set-aside files for good; who did it, when and why is kept",
		Long: "Deletes set-aside files. What they held counts as dropped from then on, and the store keeps who dropped\n" +
			"it, when and why (`statewire report set-aside-ends`).",
		Args: choice.some,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if strings.TrimSpace(reason) == "" {
				return cli.Usage(errors.New("dead drop needs --reason 'why nobody will miss it'; it is kept with your name"))
			}
			return g.dropDead(cmd, choice, reason)
		},
	}
	choice.filters(cmd)
	cmd.Flags().BoolVar(&choice.all, "all", false, "everything that was set aside")
	cmd.Flags().StringVar(&reason, "reason", "", "why; mandatory")
	return cmd
}

func (g *globals) dropDead(cmd *cobra.Command, choice deadChoice, reason string) (err error) {
	dir, err := g.deadInbox()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	files, err := choice.of(dir)
	if err != nil {
		return err
	}
	names := make([]string, len(files))
	for i, b := range files {
		names[i] = b.Name
	}
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	db, err := g.openStore(cmd.Context(), cfg, store.Write, g.Quiet())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var done ingest.Dropped
	act := control.Act{Name: "dead.drop", Object: setAside(names), Params: names, Reason: reason}
	err = control.Recorded(cmd.Context(), g.recorder(), act, func() (err error) {
		done, err = ingest.Drop(cmd.Context(), dir, db, names, caller(), reason)
		return err
	})
	if err != nil {
		return err
	}
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{
		{"files", done.Files}, {"records", done.Records}, {"bytes", done.Bytes},
	})
}
