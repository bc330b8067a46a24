package main

import (
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"statewire/agent"
)

func agentCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "this machine as a client: run it, tell it of a state, see what it holds and sent",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(agentRunCommand(g), agentSendCommand(g), agentStatusCommand(g), agentMessagesCommand(g), agentResendCommand(g), agentScanCommand(g))
	return cmd
}

// agentDir is where a data directory has its agent's files.
func agentDir(data string) string { return filepath.Join(data, "agent") }

// agent is the way to the agent that runs on the data directory.
func (g *globals) agent() *agent.SocketClient { return agent.DialSocket(agentDir(g.data)) }

// asked is an agent's refusal with its exit code: a request that no agent would take is wrong usage.
func asked(err error) error {
	var refused *agent.SocketError
	if errors.As(err, &refused) && refused.Status/100 == 4 {
		return usageError{err}
	}
	return err
}

func agentResendCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "resend",
		Short: "send the whole cache again under new serials, then \"resync complete\"",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := g.plainFormat(); err != nil {
				return err
			}
			sent, err := g.agent().Resend(cmd.Context())
			if err != nil {
				return asked(err)
			}
			return writeFlushed(g, cmd, sent)
		},
	}
}

func agentScanCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "scan",
		Short: "look for package updates of this machine now; what has changed goes with the next report",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := g.plainFormat(); err != nil {
				return err
			}
			found, err := g.agent().Scan(cmd.Context())
			if err != nil {
				return asked(err)
			}
			return writeRecord(cmd.OutOrStdout(), g.format, []field{
				{"required", found.Required}, {"pending_restart", found.Restart}, {"changed", found.Raised},
				{"lists_updated", whenever(found.Listed)}, {"seconds", found.Took.Seconds()},
			})
		},
	}
}
