package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"statewire/agent"
	"statewire/agent/runner"
)

// In a demo the first word of this machine shall not take a quarter of an hour.
const (
	demoSendInterval   = 10 * time.Second
	demoPolicyInterval = time.Minute
)

// StartDemo runs this machine's own agent, with what configures it, beside the simulated fleet, and returns the line
// that says where to look at it.
func StartDemo(ctx context.Context, group *errgroup.Group, data string, own agent.Config, pages string,
	log *slog.Logger) (string, error) {
	own.Pin, own.ClientID = "", "" // the configured ones are another site's
	own.SendInterval, own.PolicyInterval, own.StartupJitter = demoSendInterval, demoPolicyInterval, 0
	log, kept := remembering(log.With("stage", "agent"))
	l, err := newLocalAgent(ctx, Dir(data), own, kept, log)
	if err != nil {
		return "", fmt.Errorf("this machine's own agent: %w", err)
	}
	group.Go(func() error {
		if _, err := l.packages.Scan(ctx); err != nil { // before the first report and poll: they shall have something to say
			log.Info("this machine has no package updates to show", "why", err)
		}
		err := errors.Join(l.run(ctx), l.store.Close())
		for errors.Is(err, runner.ErrRestart) {
			var again *localAgent
			if again, err = newLocalAgent(ctx, Dir(data), own, kept, log); err == nil {
				err = errors.Join(again.run(ctx), again.store.Close())
			}
		}
		return err
	})
	host := l.id.NetBIOSName
	if !l.packages.Available(ctx) {
		return host + ", a real client; it has no apt, so it has nothing to tell but what you do:\n" +
			"              " + os.Args[0] + " --data " + data + " agent send --type 500 --topic example --state 2 --now", nil
	}
	return fmt.Sprintf("%s, a real client with its real package updates\n              %s/clients/%s\n"+
		"              %s --data %s report client-states --param client=%s", host, pages, url.PathEscape(
		host), os.Args[0], data, host), nil
}
