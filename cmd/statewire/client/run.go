package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/agent/channel"
	"statewire/agent/credentials"
	"statewire/agent/local"
	"statewire/agent/packages"
	"statewire/agent/runner"
	"statewire/agent/transport"
	"statewire/cmd/statewire/cli"
	"statewire/configs"
	"statewire/internal/parse"
)

const (
	agentConns = 2 // a report and a policy poll at a time
	// localeNeutral and codePageUTF8 are what a client's texts are in, as a report's header says it.
	localeNeutral = 127
	codePageUTF8  = "65001"
)

func agentRunCommand(g *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "run this machine's client until SIGINT or SIGTERM",
		Long: "Runs this machine's client: it sends states that local programs tell it and the package updates it finds " +
			"(apt), polls its\n" +
			"policy, and answers the other agent commands. Its files lie in DATA/agent. As a service of\n" +
			"systemd, launchd or Windows: docs/agent.md.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAsService(cmd.Context(), g, func(ctx context.Context, manager supervisor, log *slog.Logger) error {
				hangup := cli.Hangups()
				cfg, values, err := g.Config(nil)
				if err != nil {
					return err
				}
				return runAgent(ctx, Dir(g.Data), cfg.Agent, manager, g.agentReloader(hangup, values, manager, log), log)
			})
		},
	}
}

// runAgent runs an agent until ctx is done. One that is to get a new client id goes on under that, and one that a task
// wants started anew starts anew.
func runAgent(ctx context.Context, dir string, cfg agent.Config, manager supervisor, r *cli.Reloader,
	log *slog.Logger) error {
	log, kept := remembering(log)
	for {
		err := runAgentOnce(ctx, dir, &cfg, manager, r, kept, log)
		if errors.Is(err, runner.ErrRestart) {
			log.Info("agent starts again: a task asks for it")
			continue
		}
		if !errors.Is(err, local.ErrNewID) {
			return err
		}
		if err := renewAgent(dir, log); err != nil {
			return err
		}
	}
}

// runAgentOnce runs an agent under its id, and tells the service manager about it.
func runAgentOnce(ctx context.Context, dir string, cfg *agent.Config, manager supervisor, r *cli.Reloader,
	kept *ring, log *slog.Logger) error {
	l, err := newLocalAgent(ctx, dir, *cfg, kept, log)
	if err != nil {
		return err
	}
	r.Apply = func(next configs.Config) { l.configure(cfg, next.Agent) }
	log.Info("agent started", "client", l.id.Client, "host", l.id.NetBIOSName, "relay", l.home, "enrolled",
		l.credentials.Enrolled(), "data", dir)
	if err := manager.Tell(fmt.Sprintf("READY=1\nSTATUS=client %s, relay %s", l.id.Client, l.home)); err != nil {
		log.Warn("service manager does not hear this agent", "err", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { // the process does not end before this is said
		<-ctx.Done()
		if why := context.Cause(ctx); !errors.Is(why, local.ErrNewID) && !errors.Is(why, runner.ErrRestart) {
			_ = manager.Tell("STOPPING=1")
		}
		return nil
	})
	g.Go(func() error { return l.run(ctx) })
	g.Go(func() error { r.Run(ctx, nil); return nil })
	g.Go(func() error {
		return manager.keepAlive(ctx, func() error { _, err := l.agent.Status(); return err })
	})
	err = errors.Join(g.Wait(), l.store.Close())
	log.Info("agent stopped")
	return err
}

// localAgent is this machine's client, wired. It holds its store and its socket from newLocalAgent to the end of run.
type localAgent struct {
	id          agent.Identity
	home        string // address of the relay: the configured one, or the one it enrolled at
	tokenFile   string
	log         *slog.Logger
	store       *cache.File
	credentials *credentials.Credentials
	agent       *agent.Agent
	channel     *channel.Channel
	runner      *runner.Runner
	packages    *packages.Source
	socket      *local.Server
	listener    net.Listener
}

func newLocalAgent(ctx context.Context, dir string, cfg agent.Config, logs *ring, log *slog.Logger) (_ *localAgent,
	err error) {
	own, err := cfg.Client()
	if err != nil {
		return nil, err
	}
	kept, err := identityFolder(dir).Load()
	if err != nil {
		return nil, fmt.Errorf("read the client's credentials: %w", err)
	}
	l := &localAgent{home: cmp.Or(cfg.Relay, kept.Relay), tokenFile: cfg.EnrollTokenFile, log: log}
	if l.home == "" { // before anything is made
		return nil, cli.Usage(errNoRelay)
	}
	trusted, err := configuredTrust(cfg) // before anything is opened, too
	if err != nil {
		return nil, err
	}
	if l.store, err = cache.Open(agentStore(dir), cache.Options{Client: own}); err != nil {
		return nil, holder(ctx, dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.store.Close())
		}
	}()
	if l.credentials, err = openCredentials(dir, l.store, log); err != nil {
		return nil, err
	}
	dial := relayDialer(trusted, l.credentials)
	relay, err := dial(l.home)
	if err != nil {
		return nil, err
	}
	l.id = agent.Identity{Client: l.store.Own(), NetBIOSName: HostName(), ClientVersion: cli.Version(),
		CodePage: codePageUTF8, LCID: localeNeutral}
	l.agent, err = agent.New(cfg, agent.Deps{
		Identity: l.id, Store: l.store.Client(l.id.Client), Relay: relay, Dial: dial,
		Believe: l.credentials.Believe, Tasks: func(all [][]byte) { l.runner.Lasting(all) }, Log: log,
		SentLevel: slog.LevelInfo,
	})
	if err != nil {
		return nil, err
	}
	l.credentials.OnChange(l.agent.Identified)
	l.packages = packages.New(cfg, l.agent, time.Now, log.With("source", "packages"))
	if err := l.tasked(dir, cfg, logs); err != nil {
		return nil, err
	}
	l.connect(cfg, trusted)
	l.socket = local.New(l.agent, l.packages, l.credentials, l.channel,
		local.About{Host: l.id.NetBIOSName, Version: cli.Version(),
			Relay: l.home, Fixed: cfg.ClientID != ""}, log)
	l.socket.ShowTasks(l.runner)
	l.listener, err = local.Listen(dir)
	return l, err
}

// run returns when ctx is done, or when a part fails. It closes the socket, not the store.
func (l *localAgent) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.socket.Serve(ctx, l.listener) })
	g.Go(func() error { return l.speak(ctx) })
	g.Go(func() error { return l.credentials.Run(ctx, l.agent) })
	g.Go(func() error { return l.store.Guard(ctx) }) // whoever starts services starts it again
	g.Go(func() error { return l.packages.Run(ctx) })
	g.Go(func() error { return l.channel.Run(ctx) })
	g.Go(func() error { return l.runner.Run(ctx) })
	g.Go(func() error { channel.Watch(ctx, channel.Machine{}, l.channel.Check); return nil })
	g.Go(func() error { return l.socket.Renewal(ctx) })
	return g.Wait()
}

// speak sends and polls. A client that is to enrol itself does so first: it collects states meanwhile, and gives none a
// serial, for its enrolment says from which one it continues.
func (l *localAgent) speak(ctx context.Context) error {
	if l.tokenFile != "" {
		if err := enrolItself(ctx, l.tokenFile, l.home, l.credentials, tokenLook, l.log); err != nil {
			return err
		}
	}
	return l.agent.Run(ctx)
}

// relayDialer makes ways to relays that the configuration trusts, or the client's site vouches for.
func relayDialer(trusted *tls.Config, own *credentials.Credentials) func(string) (*transport.Sender, error) {
	return func(address string) (*transport.Sender, error) {
		u, err := parse.URL(address, "https")
		if err != nil {
			return nil, fmt.Errorf("the relay: %w", err)
		}
		sender, err := transport.NewSender(address, own.TLS(trusted, u.Hostname()), agentConns)
		if err == nil {
			sender.Heed(own.Heed)
		}
		return sender, err
	}
}

// configuredTrust is whom the configuration believes.
func configuredTrust(cfg agent.Config) (*tls.Config, error) {
	var authority []byte
	if cfg.CAFile != "" {
		var err error
		if authority, err = os.ReadFile(cfg.CAFile); err != nil {
			return nil, fmt.Errorf("read agent.ca_file: %w", err)
		}
	}
	trust, err := transport.Trust(authority, cfg.Pin)
	if err != nil {
		return nil, fmt.Errorf("agent.ca_file %s, agent.pin: %w", cfg.CAFile, err)
	}
	return trust, nil
}

// holder names the process that has the store, when that is why it cannot be opened.
func holder(ctx context.Context, dir string, err error) error {
	ctx, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	status, asked := local.Dial(dir).Status(ctx)
	if asked != nil {
		return err
	}
	return fmt.Errorf("process %d runs the agent on %s already; stop that first, or choose another --data", status.Process,
		dir)
}

// HostName is what this machine is called, without its domain.
func HostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "unknown"
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}
