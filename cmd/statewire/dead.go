package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/inbox"
	"statewire/internal/parse"
	"statewire/site"
	"statewire/smx"
)

func deadCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "what was set aside as bad: list it, look at it, try it again, or drop it",
		Long: "Files and records that could not be loaded lie in the inbox's folder corrupt, each with its reason beside\n" +
			"it. `dead list` shows them, `dead show` one of them, `dead replay` tries it again, as it is or mended,\n" +
			"`dead drop` removes it.",
		Args: cli.UnknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(deadListCommand(g), deadShowCommand(g), deadReplayCommand(g), deadDropCommand(g))
	return cmd
}

// deadChoice says which files a command is about.
type deadChoice struct {
	names        []string
	all          bool
	code, client string
}

func (c *deadChoice) filters(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.code, "code", "", "only what was set aside for this reason code")
	cmd.Flags().StringVar(&c.client, "client", "", "only records of the client with this id")
}

// some refuses a command that does not say what it is about.
func (c *deadChoice) some(cmd *cobra.Command, args []string) error {
	c.names = args
	if filtered := c.all || c.code != "" || c.client != ""; filtered == (len(args) > 0) {
		return cli.Usage(fmt.Errorf(
			"%s takes either names, as `statewire dead list` shows them, or --all, --code or --client; "+
				"see `%s --help`", cmd.Name(), cmd.CommandPath()))
	}
	return nil
}

// of lists what the choice is of; everything when it is empty. The oldest come first.
func (c *deadChoice) of(dir *inbox.Dir) ([]inbox.BadFile, error) {
	if len(c.names) > 0 {
		return deadNamed(dir, c.names)
	}
	client := ""
	if c.client != "" {
		id, err := parse.ClientID(c.client)
		if err != nil {
			return nil, cli.Usage(fmt.Errorf("--client is %.60q; write the id of a client, "+
				"as GUID:F1B03089-9EA1-4A64-83DC-5F8E77BDDEB4", c.client))
		}
		client = smx.ClientID(id).String()
	}
	var files []inbox.BadFile
	for b, err := range dir.BadFiles() {
		if err != nil {
			return nil, err
		}
		if (c.code == "" || b.Reason.Code == c.code) && (client == "" || b.Reason.Client == client) {
			files = append(files, b)
		}
	}
	slices.SortFunc(files, func(a, b inbox.BadFile) int {
		return cmp.Or(a.Until().Compare(b.Until()), strings.Compare(a.Name, b.Name))
	})
	return files, nil
}

func deadNamed(dir *inbox.Dir, names []string) (files []inbox.BadFile, err error) {
	for _, name := range names {
		b, err := dir.Bad(name)
		if err != nil {
			return nil, deadMissing(name, err)
		}
		files = append(files, b)
	}
	return files, nil
}

// deadMissing says what to do about a name that nothing in corrupt has.
func deadMissing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return fmt.Errorf("nothing called %q was set aside; `statewire dead list` shows the names", name)
	}
	return err
}

// deadFolder opens the inbox for who only looks into corrupt: that needs no store.
func (g *globals) deadFolder() (*inbox.Dir, error) {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return nil, err
	}
	if err := g.needInbox(); err != nil {
		return nil, err
	}
	return site.LookInbox(g.Data, cfg, g.Quiet())
}

// deadInbox opens the inbox for who changes what lies in corrupt: the store must be told.
func (g *globals) deadInbox() (*inbox.Dir, error) {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return nil, err
	}
	if err := g.needSite(cfg); err != nil {
		return nil, err
	}
	return site.OpenInbox(g.Data, cfg, g.Quiet())
}

func deadListCommand(g *globals) *cobra.Command {
	var choice deadChoice
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list what was set aside, the oldest first",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			dir, err := g.deadFolder()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, dir.Close()) }()
			files, err := choice.of(dir)
			if err != nil {
				return err
			}
			rows := make([][]any, len(files))
			for i, b := range files {
				rows[i] = []any{b.Name, deadKind(b), b.Number, b.Reason.Code, b.Reason.Client, b.Size,
					cli.Moment(b.Until()), b.Reason.Line, b.Reason.Column, b.Reason.Reason}
			}
			return cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"name", "kind", "records", "code", "client", "bytes",
				"set_aside",
				"line", "column", "reason"}, rows)
		},
	}
	choice.filters(cmd)
	return cmd
}

// deadKind says what a file of corrupt is: some records of a report, or something bad as a whole.
func deadKind(b inbox.BadFile) string {
	if b.Record {
		return "records"
	}
	return "file"
}
