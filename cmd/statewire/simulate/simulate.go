// Package simulate is the commands of simulated fleets: a demo, which is a whole site with one, and a fleet against any
// relay. A demo never removes a folder that it did not make.
package simulate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"statewire/agent"
	"statewire/cmd/statewire/cli"
	"statewire/cmd/statewire/client"
	"statewire/configs"
	"statewire/fleet"
	"statewire/inbox"
	"statewire/relay"
	"statewire/site"
	"statewire/smx"
)

// commands are the commands of simulated fleets.
type commands struct{ *cli.Globals }

// Demo is the command "demo".
func Demo(globals *cli.Globals) *cobra.Command {
	g := &commands{globals}
	fc := fleet.DefaultConfig()
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "start a site with a simulated fleet on its patch day, and print the dashboard's address",
		Long: "Starts a whole site on free ports of this machine, and a simulated fleet that enrols, gets its certificates " +
			"and reports to it\n" +
			"over HTTPS. Without --data everything lies in a temporary folder that is removed at the end: the system's, or " +
			"the user's cache\n" +
			"folder where that is in memory. Addresses and intervals are the demo's own, whatever the configuration says; " +
			"--set KEY=VALUE\n" +
			"changes one.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if fc.Clients < 1 || fc.Clients > 100_000 {
				return cli.Usage(fmt.Errorf("--clients is %d; allowed are 1 to 100000", fc.Clients))
			}
			if fc.PatchDay < time.Second {
				return cli.Usage(fmt.Errorf("--patch-day is %v; allowed is 1s or more", fc.PatchDay))
			}
			return g.demo(cmd, fc)
		},
	}
	cmd.Flags().IntVar(&fc.Clients, "clients", fc.Clients, "how many clients to simulate")
	cmd.Flags().BoolVar(&fc.Channel, "channel", fc.Channel, "the clients connect to the notifier")
	cmd.Flags().Uint64Var(&fc.Seed, "seed", fc.Seed, "what decides everything that looks like chance")
	cli.DurationVar(cmd.Flags(), &fc.PatchDay, "patch-day", "the time in which the patch day's 24 hours pass")
	return cmd
}

func (g *commands) demo(cmd *cobra.Command, fc fleet.Config) error {
	folder, err := g.demoData(cmd)
	if err != nil {
		return err
	}
	g.Data = folder.path
	err = g.demoIn(cmd, &folder, fc)
	if cmd.Context().Err() != nil {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), folder.farewell())
	} else if folder.temporary {
		err = errors.Join(err, os.RemoveAll(folder.path))
	}
	return err
}

// demoStop is how long a demo that was stopped waits for its stages. One that hangs on, for a page that is open in a
// browser or a merge of the engine, ends with the process, as by a power cut: what was acknowledged is on disk.
const demoStop = time.Second

func (g *commands) demoIn(cmd *cobra.Command, folder *demoFolder, fc fleet.Config) error {
	cfg, err := g.demoConfig()
	if err != nil {
		return err
	}
	log, closeLog, err := g.demoLog()
	if err != nil {
		return err
	}
	defer closeLog()
	group, ctx := errgroup.WithContext(cmd.Context())
	var told progressOfDay
	c := site.Config{
		Data: g.Data, Settings: cfg, Roles: site.Roles(site.Built), Log: log, Version: cli.Version(), AgentLog: client.Log(
			g.Data),
		NeedsStore: true, // whoever looks at a demo wants to know at once
		Notice:     told.notice,
	}
	if cfg.Reports.Listen == demoPages { // nobody has chosen another one
		if c.Pages, err = listenPages(demoPages); err != nil {
			return err
		}
		defer c.Pages.Close()
	}
	c.Started = func(a site.Addresses) {
		group.Go(func() error {
			own := cfg.Agent
			own.Relay, own.CAFile = a.Relay, a.CAFile
			if err := g.demoTokens(ctx, cfg, &own, &fc); err != nil {
				return err
			}
			machine, err := client.StartDemo(ctx, group, g.Data, own, a.Reports, log)
			if err != nil {
				return err
			}
			return g.runFleet(ctx, cmd.OutOrStdout(), cfg, log, a, fc, machine, folder.note, &told)
		})
	}
	s, err := site.New(c)
	if err != nil {
		return cli.DataUsage(err)
	}
	group.Go(func() error { return s.Run(ctx) })
	return stopBriefly(cmd.Context(), group.Wait, demoStop, func() {
		folder.removeLater()
		fmt.Fprintln(cmd.OutOrStdout(), "Stopping. Another Ctrl-C ends it at once.")
	})
}

// demoTokens makes the tokens with which the demo's clients enrol: those that a demo of before left have their
// certificates.
func (g *commands) demoTokens(ctx context.Context, cfg configs.Config, own *agent.Config, fc *fleet.Config) error {
	if cfg.Relay.Auth != relay.AuthMTLS {
		return nil
	}
	many, err := site.EnrollToken(ctx, g.Data, fc.Clients)
	if err != nil {
		return err
	}
	one, err := site.EnrollToken(ctx, g.Data, 1)
	if err != nil {
		return err
	}
	fc.Token = &many
	own.EnrollTokenFile = filepath.Join(g.Data, "demo-token")
	if err := os.WriteFile(own.EnrollTokenFile, []byte(one.String()+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the token of this machine's own agent: %w", err)
	}
	return nil
}

// stopBriefly waits for something to end. Once ctx is done it calls stopping, and then waits for no longer than
// patience.
func stopBriefly(ctx context.Context, wait func() error, patience time.Duration, stopping func()) (err error) {
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	select {
	case err = <-ended:
		ended <- err
	case <-ctx.Done():
	}
	if ctx.Err() == nil {
		return err
	}
	stopping()
	select {
	case err = <-ended:
	case <-time.After(patience):
	}
	return err
}

// demoConfig is the configuration with addresses on this machine only, on free ports.
func (g *commands) demoConfig() (configs.Config, error) {
	cfg, _, err := g.Config(map[string]string{
		"relay.listen": "127.0.0.1:0", "notifier.listen": "127.0.0.1:0", "reports.listen": demoPages, "enroll.per_hour": "0",
		"relay.client_rate": "0", // past reports come in bursts
		// A lost report is to be noticed, asked for and repaired while somebody watches.
		"resync.check_interval": "1m", "resync.min_missing_message_age": "1m", "resync.merge_interval": "5m",
		"agent.policy_interval": demoPolls.String(), // when explain expects the fleet's next poll
	})
	return cfg, err
}

// demoPages is where the demo's pages are when nobody else has the address.
const demoPages = "127.0.0.1:8080"

// listenPages takes the pages' address before anything else starts, or a free port beside it when somebody has it.
func listenPages(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the demo's pages: %w", err)
	}
	return ln, nil
}

// demoPolls is the time between two policy polls of a simulated client.
const demoPolls = 30 * time.Second

// runFleet runs the simulated fleet, whose clients keep what they hold beside the site's data: a demo on old data goes
// on with them.
func (g *commands) runFleet(ctx context.Context, out io.Writer, cfg configs.Config, log *slog.Logger, a site.Addresses,
	fc fleet.Config, machine, note string, told *progressOfDay) (err error) {
	fc.Relay, fc.PolicyInterval = a.Relay, demoPolls
	if fc.TLS, err = trust(a.CAFile); err != nil {
		return err
	}
	fs, err := g.openFleetStore("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fs.Close()) }()
	unused, err := fs.Unused()
	if err != nil {
		return err
	}
	f, err := fleet.New(fc, fs, log.With("stage", "fleet"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n  %s get their certificates …\n", cli.FmtCount(fc.Clients, "client"))
	// before their past is there: a client that reported before is not let in so easily
	if err := f.Enrol(ctx); err != nil {
		return err
	}
	if err := g.name(ctx, f); err != nil {
		return err
	}
	if unused {
		if err := g.fillPast(ctx, cfg, log, f); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n  Dashboard   %s\n  Relay       %s   (CA %s)\n  Data        %s\n  Log         %s\n"+
		"  Machine     %s\n\n"+
		"%d clients live through a patch day in %v. Ctrl-C stops.\n\n",
		a.Reports, a.Relay, a.CAFile, strings.TrimSpace(g.Data+"   "+note), filepath.Join(g.Data,
			"statewire.log"), machine, fc.Clients, fc.PatchDay)
	fmt.Fprint(out, "  Warming up: the first reports come in; figures settle within a minute.\n\n")
	warm := time.AfterFunc(warmUp, func() { told.set(onPatchDay) })
	defer warm.Stop()
	over := time.AfterFunc(fc.PatchDay, func() {
		told.set(dayOver)
		fmt.Fprint(out, patchDayOver(fc.PatchDay, f.Stats()))
	})
	defer over.Stop()
	return f.Run(ctx)
}

// patchDayOver says that the fleet has lived through its day: from then on little happens, and somebody may wait for
// more.
func patchDayOver(took time.Duration, s fleet.Stats) string {
	return fmt.Sprintf("The patch day is over after %v: the relay took %s with %s. The clients live on, at the pace of "+
		"a real day. Ctrl-C stops.\n\n",
		took, cli.FmtCount(int(s.Reports), "report"), cli.FmtCount(int(s.Messages), "message"))
}

// trust is a TLS configuration for callers of a site that made its own certificates.
func trust(caFile string) (*tls.Config, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read the site's certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", caFile)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, nil
}

// fillPast puts the fleet's past, and a few damaged files, into the inbox as a relay and an operator would have.
func (g *commands) fillPast(ctx context.Context, cfg configs.Config, log *slog.Logger, f *fleet.Fleet) (err error) {
	dir, err := site.OpenInbox(g.Data, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	err = f.History(ctx, func(past []fleet.PastReport) error {
		past = slices.DeleteFunc(past, func(r fleet.PastReport) bool { return f.Spoils(&r) })
		_, err := dir.Put(inbox.Normal, smx.AppendFile(nil, past), past[len(past)-1].Received)
		return err
	})
	if err != nil {
		return fmt.Errorf("fill the demo's past: %w", err)
	}
	for _, d := range f.Damaged() {
		if err := dropFile(ctx, dir, d); err != nil {
			return fmt.Errorf("drop the damaged file %s: %w", d.Name, err)
		}
	}
	return nil
}

// dropFile copies a damaged file into the inbox, as somebody who got it from elsewhere would.
func dropFile(ctx context.Context, dir *inbox.Dir, d fleet.DamagedFile) error {
	folder, err := os.MkdirTemp("", "statewire-drop-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, d.Name)
	if err := os.WriteFile(path, d.Data, 0o600); err != nil {
		return err
	}
	_, err = dir.Copy(ctx, path)
	return err
}
