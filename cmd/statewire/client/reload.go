package client

import (
	"fmt"
	"log/slog"
	"os"

	"statewire/agent"
	"statewire/cmd/statewire/cli"
	"statewire/configs"
)

// liveAgentKeys are the keys that take effect while an agent runs.
func liveAgentKeys() []string {
	return []string{"agent.send_interval", "agent.policy_interval", "agent.scan_interval", "agent.tasks",
		"agent.packs_deny", "agent.allow_class", "agent.commands.quick-scan", "agent.commands.full-scan",
		"agent.commands.update-definitions"}
}

// agentReloader follows SIGHUP for an agent. What other sections hold is no concern of it.
func (g *commands) agentReloader(hangup <-chan os.Signal, values []configs.Value, manager supervisor,
	log *slog.Logger) *cli.Reloader {
	return &cli.Reloader{
		Load:   func() (configs.Config, []configs.Value, error) { return g.Config(nil) },
		Hangup: hangup, Live: liveAgentKeys(), Concerns: []string{"agent."}, Manager: manager, Values: values, Log: log,
	}
}

// configure puts the intervals and the rules for tasks of next into force, and into cfg for an agent that goes on under
// another id.
func (l *localAgent) configure(cfg *agent.Config, next agent.Config) {
	cfg.SendInterval, cfg.PolicyInterval, cfg.ScanInterval = next.SendInterval, next.PolicyInterval, next.ScanInterval
	cfg.Tasks, cfg.PacksDeny, cfg.AllowClass, cfg.Commands = next.Tasks, next.PacksDeny, next.AllowClass, next.Commands
	l.agent.Configure(next)
	l.runner.Configure(taskRules(next))
	l.packages.Configure(next)
}

// Reloading tells the service manager that the configuration is read again, until READY=1 says that this is over.
func (s supervisor) Reloading() error {
	return s.Tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", monotonic().Microseconds()))
}
