// Package client is the commands of a client: it runs this machine's agent and asks one that runs. Nothing of a site is
// in it.
package client

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
)

// commands are the commands of a client.
type commands struct{ *cli.Globals }

// Command is the command "agent" with all that is below it.
func Command(globals *cli.Globals) *cobra.Command {
	g := &commands{globals}
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "this machine as a client: run it, tell it of a state, see what it holds and sent",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(agentRunCommand(g), agentSendCommand(g), agentStatusCommand(g), agentMessagesCommand(g),
		agentResendCommand(g), agentScanCommand(g), agentTasksCommand(g),
		agentNewIDCommand(g), agentAcceptSerialCommand(g), agentEnrollCommand(g))
	return cmd
}

// Dir is where a data directory has its agent's files.
func Dir(data string) string { return filepath.Join(data, "agent") }

// agentAt is where the agent is that a command speaks to: on the data directory, or where the shipped unit has it when
// none was named and none is in the usual place.
func (g *commands) agentAt(cmd *cobra.Command) string {
	dir := Dir(g.Data)
	if cmd.Flags().Changed("data") {
		return dir
	}
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if _, err := os.Stat(Dir(agentHome)); errors.Is(err, fs.ErrNotExist) {
		return dir // whoever may not look there is told so when asking
	}
	return Dir(agentHome)
}

// agent is the way to the agent that a command speaks to.
func (g *commands) agent(cmd *cobra.Command) *local.Client {
	return local.Dial(g.agentAt(cmd))
}

// asked is an agent's refusal with its exit code: a request that no agent would take is wrong usage.
func asked(err error) error {
	var refused *local.Error
	if errors.As(err, &refused) && refused.Status/100 == 4 {
		return cli.Usage(err)
	}
	return err
}

func agentResendCommand(g *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "resend",
		Short: "send the whole cache again under new serials, then \"resync complete\"",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sent, err := g.agent(cmd).Resend(cmd.Context())
			if err != nil {
				return asked(err)
			}
			return writeFlushed(g, cmd, sent)
		},
	}
}

func agentScanCommand(g *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "scan",
		Short: "look for package updates of this machine now; what has changed goes with the next report",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := g.agent(cmd).Scan(cmd.Context())
			if err != nil {
				return asked(err)
			}
			return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{
				{"required", found.Required}, {"pending_restart", found.Restart}, {"changed", found.Raised},
				{"lists_updated", whenever(found.Listed)}, {"seconds", found.Took.Seconds()},
			})
		},
	}
}
