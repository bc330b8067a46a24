package client

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"statewire/agent"
	"statewire/agent/local"
	"statewire/agent/runner"
	"statewire/cmd/statewire/cli"
	"statewire/packs"
)

// bundleTasks bounds the tasks that a bundle of logs lists.
const bundleTasks = 100

func agentTasksCommand(g *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "tasks",
		Short: "tasks that the site asked this machine's agent for, each with its step and time",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := g.agent(cmd).Tasks(cmd.Context())
			if err != nil {
				return asked(err)
			}
			rows := make([][]any, len(all))
			for i, t := range all {
				rows[i] = []any{t.TaskID, t.TaskGUID, t.Name, t.Step, t.Code, whenever(t.Received), whenever(t.Started),
					whenever(t.Finished), whenever(t.NotAfter)}
			}
			return cli.WriteRecords(cmd.OutOrStdout(), g.Format, []string{"task_id", "task_guid", "name", "step", "code",
				"received", "started", "finished", "not_after"}, rows)
		},
	}
}

// tasked makes what carries out the tasks of the client's site.
func (l *localAgent) tasked(dir string, cfg agent.Config, kept *ring) (err error) {
	folder, err := filepath.Abs(filepath.Join(dir, "tasks"))
	if err != nil {
		return err
	}
	l.runner, err = runner.New(runner.Deps{
		Client: uuid.UUID(l.id.Client), Site: func() string { return l.credentials.Status().Site },
		Trust: l.credentials.Document, Store: l.store.Client(l.id.Client), Agent: l.agent, Rules: taskRules(cfg),
		Packs: runner.PackFolder{Dir: filepath.Join(dir, "packs"), Trust: l.credentials.Document},
		Scan:  l.scan, Restarts: true, Folder: folder, Version: l.id.ClientVersion, Log: l.log,
		Logs: func(ctx context.Context) ([]byte, error) { return l.bundle(ctx, dir, cfg, kept) },
	})
	return err
}

// taskRules are what this machine allows.
func taskRules(cfg agent.Config) runner.Rules {
	return runner.Rules{Tasks: cfg.Tasks, Deny: cfg.PacksDeny, Allow: packs.Class(cfg.AllowClass),
		Commands: cfg.Commands.ByTask()}
}

// scan looks for package updates, for a task.
func (l *localAgent) scan(ctx context.Context) (string, error) {
	found, err := l.packages.Scan(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d updates are required, %d wait for a restart, %d states changed", found.Required, found.Restart,
		found.Raised), nil
}

// bundle is what somebody needs who has to find out what is wrong with this client. No secret is in it: of the
// machine's own commands only the programs are named.
func (l *localAgent) bundle(ctx context.Context, dir string, cfg agent.Config, kept *ring) ([]byte, error) {
	var b strings.Builder
	status, err := local.Dial(dir).Status(ctx)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(status, "", " ")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "== status\n%s\n== configuration\n", text)
	for _, v := range []struct {
		key   string
		value any
	}{{"relay", cfg.Relay}, {"ca_file", cfg.CAFile}, {"pin", cfg.Pin}, {"client_id", cfg.ClientID},
		{"send_interval", cfg.SendInterval}, {"policy_interval", cfg.PolicyInterval},
		{"startup_jitter", cfg.StartupJitter}, {"scan_interval", cfg.ScanInterval}, {"tasks", cfg.Tasks},
		{"packs_deny", cfg.PacksDeny}, {"allow_class", cfg.AllowClass}} {
		fmt.Fprintf(&b, "agent.%s: %v\n", v.key, v.value)
	}
	for name, own := range cfg.Commands.ByTask() {
		if len(own) > 0 {
			fmt.Fprintf(&b, "agent.commands.%s: %s\n", name, own[0])
		}
	}
	tasks, err := l.runner.List()
	if err != nil {
		return nil, err
	}
	b.WriteString("== tasks\n")
	for _, t := range tasks[max(0, len(tasks)-bundleTasks):] {
		fmt.Fprintf(&b, "%s %s %s %s %s\n", t.ID, t.Name, t.Step, t.Code, cli.Stamp(t.Received))
	}
	fmt.Fprintf(&b, "== log\n%s", kept.text())
	return []byte(b.String()), nil
}
