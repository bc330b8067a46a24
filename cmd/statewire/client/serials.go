package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"statewire/agent/cache"
	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
	"statewire/internal/backoff"
)

// renewPatience is how long an agent may take to go on under its new id.
const renewPatience = 30 * time.Second

func agentNewIDCommand(g *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "new-id",
		Short: "give this machine's client a new client id; it keeps what it holds and sends all of it from serial 1 on",
		Long: "Gives this machine's client a new random client id, whether or not the agent runs. What it holds stays and " +
			"is sent under the\n" +
			"new id from serial 1 on. For a client whose serials are used up, or that shares its id with a copy of the " +
			"machine. The site\n" +
			"knows the old id as a client that falls silent.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			old, own, err := g.newID(cmd)
			if err != nil {
				return asked(err)
			}
			return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"old_client", old}, {"client", own}})
		},
	}
}

// newID has the running agent take a new id, or gives it to the store of one that does not run.
func (g *commands) newID(cmd *cobra.Command) (old, own string, err error) {
	running := g.agent(cmd)
	answer, err := running.NewID(cmd.Context())
	switch {
	case errors.Is(err, local.ErrNotRunning):
		return g.newIDAtRest(cmd)
	case err != nil:
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), renewPatience)
	defer cancel()
	for {
		if status, err := running.Status(ctx); err == nil && status.Client != answer.Old {
			return answer.Old, status.Client, nil
		}
		if backoff.Sleep(ctx, 100*time.Millisecond) != nil {
			return "", "", fmt.Errorf(
				"the agent has not come back under a new id within %v; see its log and `statewire agent status`", renewPatience)
		}
	}
}

// newIDAtRest changes the store file itself.
func (g *commands) newIDAtRest(cmd *cobra.Command) (old, own string, err error) {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return "", "", err
	}
	if cfg.Agent.ClientID != "" {
		return "", "", cli.Usage(
			errors.New("agent.client_id names this client's id: take it out of the configuration first, or put the new id " +
				"there and move the agent's store away"))
	}
	dir := g.agentAt(cmd)
	if _, err := os.Stat(agentStore(dir)); errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("there was never an agent in %s: nothing to give a new id", dir)
	}
	before, after, err := replaceID(dir)
	if err != nil {
		return "", "", err
	}
	return before.String(), after.String(), nil
}

// agentStore is the store file of the agent with its files in dir.
func agentStore(dir string) string { return filepath.Join(dir, "agent.db") }

func replaceID(dir string) (old, own fmt.Stringer, err error) {
	store, err := cache.Open(agentStore(dir), cache.Options{})
	if err != nil {
		return nil, nil, err
	}
	old, own, err = store.NewID()
	return old, own, errors.Join(err, store.Close())
}

// renewAgent gives the client of an agent that has just ended a new id.
func renewAgent(dir string, log *slog.Logger) error {
	old, own, err := replaceID(dir)
	if err != nil {
		return err
	}
	log.Warn("the client has a new id and sends everything under it", "old", old.String(), "client", own.String())
	return nil
}

func agentAcceptSerialCommand(g *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "accept-serial NEXT_SERIAL",
		Short: "continue from a serial that a policy named and the agent declined, and send everything from there",
		Long: "Makes the agent continue from the serial that it declined because it is more than 1,000,000 above its own: " +
			"right when this\n" +
			"machine really gave out so many, and was set back since. `statewire agent status` shows the serial. There is no " +
			"way back.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usage(errors.New("name the serial that `statewire agent status` shows as declined_serial"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			next, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return cli.Usage(fmt.Errorf(
					"%.40q is no serial; name the one that `statewire agent status` shows as declined_serial", args[0]))
			}
			sent, err := g.agent(cmd).AcceptSerial(cmd.Context(), next)
			if err != nil {
				return asked(err)
			}
			return writeFlushed(g, cmd, sent)
		},
	}
}
