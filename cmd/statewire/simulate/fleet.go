package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"statewire/cmd/statewire/cli"
	"statewire/fleet"
	"statewire/internal/backoff"
)

// StoreName is the fleet's store file in the data directory, unless --store names another.
const StoreName = "fleet.db"

// fleetOptions are the flags of `statewire fleet`.
type fleetOptions struct {
	fleet.Config
	store  string
	CAFile string
	token  string        // file with the enrolment token
	day    time.Duration // real time of 24 simulated hours; 0 = as long as the fleet raises states
	send   time.Duration // the send cycle in real time
}

// Fleet is the command "fleet", with the one that compares it with a site.
func Fleet(globals *cli.Globals, verify *cobra.Command) *cobra.Command {
	g := &commands{globals}
	o := fleetOptions{Config: fleet.DefaultConfig(), send: 5 * time.Second}
	o.For, o.PolicyInterval, o.Senders = time.Minute, 10*time.Second, 64
	o.Loss, o.Duplicate, o.Reorder, o.Damage, o.Silent, o.Leave = 0, 0, 0, 0, 0, 0
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "run a simulated fleet of real clients against a relay; `fleet verify` compares what they hold with the site",
		Long: "Runs the logic of many clients in one process: they raise the states of a patch day, number and send them " +
			"over HTTPS,\n" +
			"poll their policies and answer resyncs, with the faults that the flags ask for. Shares go from 0 to 1, times " +
			"are real ones.\n" +
			"The same --seed gives the same clients, who raise the same states. What they hold stays in the store file; " +
			"another run on\n" +
			"it goes on where the last one ended, and `--for 0 --settle 30s` raises nothing and only lets them settle.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usage(fmt.Errorf("fleet has no command %q; see `statewire fleet --help`", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return g.fleet(cmd, &o) },
	}
	o.register(cmd)
	cmd.AddCommand(verify)
	return cmd
}

func (o *fleetOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&o.Clients, "clients", o.Clients, "how many clients to simulate, 1 to 100000")
	f.StringVar(&o.Relay, "relay", "", "address of the relay, such as https://127.0.0.1:8443")
	f.StringVar(&o.CAFile, "ca", "",
		"PEM file of the authority that the relay's certificate is from (default: the site's own below --data, else the "+
			"system's)")
	f.StringVar(&o.token, "enroll-token-file", "",
		"file with an enrolment token; - reads standard input: clients without "+
			"a certificate enrol with it first. Their keys are in the store file")
	f.StringVar(&o.Notifier, "notifier", "",
		"address of the notifier, as host:port, where no policy names one (default: the relay's host, port 10123)")
	f.BoolVar(&o.Channel, "channel", o.Channel, "clients that have a certificate connect to the notifier")
	f.StringVar(&o.store, "store", "", "file in which the clients keep what they hold (default: "+StoreName+
		" in the data directory)")
	f.Uint64Var(&o.Seed, "seed", o.Seed, "what decides everything that looks like chance")
	cli.DurationVar(f, &o.For, "for", "how long the clients raise states")
	cli.DurationVar(f, &o.Settle, "settle",
		"how long they then poll and send without a fault; the fleet ends when nothing waits any more")
	cli.DurationVar(f, &o.day, "day", "time in which 24 simulated hours pass (default: --for)")
	cli.DurationVar(f, &o.send, "send-interval", "the clients' send cycle")
	cli.DurationVar(f, &o.PolicyInterval, "policy-interval", "time between two policy polls of a client; 0 never polls")
	f.IntVar(&o.Senders, "senders", o.Senders, "how many requests may be under way at once")
	f.Float64Var(&o.Loss, "loss", o.Loss,
		"share of reports that vanish though the client believes them sent, and of polls")
	f.Float64Var(&o.Duplicate, "duplicate", o.Duplicate, "share of reports that arrive twice")
	f.Float64Var(&o.Reorder, "reorder", o.Reorder, "share of reports that arrive after their successor")
	f.Float64Var(&o.Delay, "delay", o.Delay, "share of reports that arrive late, by up to --delay-by")
	cli.DurationVar(f, &o.DelayBy, "delay-by", "the longest delay")
	f.Float64Var(&o.Damage, "damage", o.Damage, "share of reports in which one record arrives damaged")
	f.Float64Var(&o.Reinstall, "reinstall", 0,
		"share of clients that lose their store once in this run, so that their serials start again")
	f.Float64Var(&o.Restore, "restore", 0,
		"share of clients that are set back once in this run to an image of some hours before")
	f.IntVar(&o.SerialJumps, "serial-jump", 0,
		"number of clients whose counter of serials jumps to 10^15 once in this run")
	f.IntVar(&o.FalseClaims, "false-claim", 0,
		"number of clients in whose name somebody claims a serial near 2^62 with every poll")
	f.Float64Var(&o.ClockJump, "clock-jump", 0, "share of clients whose clock jumps once in this run by years, either way")
}

// config is the fleet's configuration that the flags come to.
func (o *fleetOptions) config(g *commands) (fleet.Config, error) {
	c := o.Config
	if c.PatchDay = o.day; c.PatchDay == 0 {
		c.PatchDay = c.For
	}
	c.PatchDay = max(c.PatchDay, time.Second)
	c.SendInterval = max(time.Second, time.Duration(float64(o.send)*float64(24*time.Hour)/float64(c.PatchDay)))
	if o.For == 0 && o.Settle == 0 {
		return c, cli.Usage(errors.New("--for and --settle are both 0; give one of them a time, such as --for 60s"))
	}
	if c.Relay == "" {
		return c, cli.Usage(
			errors.New("--relay is missing; name the relay's address, such as --relay https://127.0.0.1:8443"))
	}
	if err := c.Validate(); err != nil {
		return c, cli.Usage(err)
	}
	if o.CAFile == "" {
		own := filepath.Join(g.Data, "identity", "ca.crt")
		if _, err := os.Stat(own); err == nil {
			o.CAFile = own
		}
	}
	if o.CAFile == "" {
		return c, nil
	}
	var err error
	c.TLS, err = trust(o.CAFile)
	return c, err
}

func (g *commands) fleet(cmd *cobra.Command, o *fleetOptions) (err error) {
	cfg, err := o.config(g)
	if err != nil {
		return err
	}
	if o.token != "" {
		token, err := g.ReadToken(cmd, "enroll-token-file", o.token)
		if err != nil {
			return err
		}
		cfg.Token = &token
		if err := cfg.Validate(); err != nil {
			return cli.Usage(err)
		}
	}
	fs, err := g.openFleetStore(o.store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fs.Close()) }()
	f, err := fleet.New(cfg, fs, g.Quiet())
	if err != nil {
		return err
	}
	if err := runShown(cmd.Context(), cmd.ErrOrStderr(), f); err != nil {
		return err
	}
	if err := g.fleetResult(cmd.OutOrStdout(), f.Stats(), fs); err != nil || cmd.Context().Err() != nil {
		return err
	}
	if s := f.Stats(); s.Unsettled > 0 {
		why := "the relay did not take all they have to say"
		if s.Trouble != "" {
			why += ": " + s.Trouble
		}
		return fmt.Errorf("%s did not settle: %s; run again with `--for 0 --settle 30s`", cli.FmtCount(s.Unsettled, "client"),
			why)
	}
	return nil
}

// openFleetStore opens the named store file, or the data directory's.
func (g *commands) openFleetStore(path string) (*fleet.Store, error) {
	if path == "" {
		if err := os.MkdirAll(g.Data, 0o700); err != nil {
			return nil, fmt.Errorf("make the data directory: %w", err)
		}
		path = filepath.Join(g.Data, StoreName)
	}
	return fleet.OpenStore(path)
}

// runShown runs the fleet, and shows on a terminal how it goes.
func runShown(ctx context.Context, w io.Writer, f *fleet.Fleet) error {
	if !cli.IsTerminal(w) {
		return f.Run(ctx)
	}
	group, ctx := errgroup.WithContext(ctx)
	over, end := context.WithCancel(ctx)
	group.Go(func() error { defer end(); return f.Run(ctx) })
	group.Go(func() error {
		for backoff.Sleep(over, time.Second) == nil {
			fmt.Fprintf(w, "\r%s\x1b[K", progress(f.Stats()))
		}
		fmt.Fprint(w, "\r\x1b[K")
		return nil
	})
	return group.Wait()
}

// progress is one line on how the fleet goes.
func progress(s fleet.Stats) string {
	if s.Enrolling {
		return fmt.Sprintf("enrolling: %d of %d clients have got their certificate", s.Enrolled, s.Clients-s.Silent)
	}
	line := fmt.Sprintf("%s  %d reports  %d messages  %d lost  %d retries  %d polls  %d resyncs",
		s.Simulated.Format("Jan 2 15:04"), s.Reports, s.Messages, s.Lost, s.Retries, s.Polls, s.Resyncs)
	if online := s.OnlineTCP + s.OnlineHTTP; online > 0 {
		line += fmt.Sprintf("  %d online", online)
	}
	if s.Behind > time.Second {
		line += fmt.Sprintf("  %v behind", s.Behind.Round(time.Second))
	}
	if s.Settling {
		line += fmt.Sprintf("  settling: %d clients to go", s.Unsettled)
	}
	return line
}

// fleetResult prints what happened and what a site should end up with.
func (g *commands) fleetResult(out io.Writer, s fleet.Stats, fs *fleet.Store) error {
	t, err := fs.Totals()
	if err != nil {
		return err
	}
	return cli.WriteRecord(out, g.Format, []cli.Field{
		{"store", fs.Path()}, {"clients", t.Clients}, {"topics_held", t.Topics}, {"serials_given", t.Serials},
		{"greatest_serial", t.GreatestSerial}, {"unsent", t.Unsent}, {"dead_letters", t.DeadLetters},
		{"enrolled", s.Enrolled},
		{"reports", s.Reports}, {"messages", s.Messages}, {"retries", s.Retries}, {"refused", s.Refused},
		{"lost_reports", s.Lost}, {"duplicated_reports", s.Duplicated}, {"reordered_reports", s.Reordered},
		{"delayed_reports", s.Delayed}, {"damaged_records", s.Damaged}, {"reinstalled", s.Reinstalled}, {"restored",
			s.Restored},
		{"clock_jumps", s.ClockJumps},
		{"serial_jumps", s.SerialJumps}, {"false_claims", s.FalseClaims}, {"polls", s.Polls}, {"failed_polls",
			s.PollsFailed}, {"resyncs_answered", s.Resyncs},
		{"online_tcp", s.OnlineTCP}, {"online_http", s.OnlineHTTP}, {"wakes_obeyed", s.Wakes},
		{"trouble", s.Trouble},
	})
}
