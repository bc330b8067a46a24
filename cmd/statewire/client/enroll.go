package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/agent/credentials"
	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
	"statewire/internal/backoff"
	"statewire/internal/parse"
	"statewire/trust"
)

// tokenLook is how often the file of agent.enroll_token_file is looked at for another token, after one was refused.
const tokenLook = 10 * time.Second

// enrolling is the flags of `agent enroll`.
type enrolling struct {
	relay string
	file  string
	wait  time.Duration
}

func agentEnrollCommand(g *commands) *cobra.Command {
	e := enrolling{wait: 2 * time.Minute}
	cmd := &cobra.Command{
		Use:   "enroll --relay URL --token-file FILE",
		Short: "get this machine's client a certificate, with an enrolment token of the site",
		Long: "Gets this machine's client a certificate, whether or not the agent runs. The token goes to the relay only " +
			"once the relay has\n" +
			"proved that it is of the token's site. The relay is remembered: `agent run` needs no other setting. A token on " +
			"the command line\n" +
			"would be everybody's to read; it comes from a file, or with - from standard input.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.agentEnroll(cmd, e) },
	}
	f := cmd.Flags()
	f.StringVar(&e.relay, "relay", "",
		"address of the relay, such as https://mp.example:8443 (default: agent.relay, or the "+
			"one of before)")
	f.StringVar(&e.file, "token-file", "", "`FILE` with the token that statewire enroll token create printed; - reads "+
		"standard input")
	cli.DurationVar(f, &e.wait, "wait", "how long to try, and to wait for an approval; at most 4m")
	return cmd
}

func (g *commands) agentEnroll(cmd *cobra.Command, e enrolling) error {
	if e.file == "" {
		return cli.Usage(errors.New("--token-file is missing; name the file with the token, or - for standard input"))
	}
	if e.wait <= 0 || e.wait > local.MostEnrollWait {
		return cli.Usage(fmt.Errorf("--wait is %v; allowed is more than 0 and at most %v", e.wait, local.MostEnrollWait))
	}
	token, err := g.ReadToken(cmd, "token-file", e.file)
	if err != nil {
		return err
	}
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	got, err := g.enrollRunning(cmd, e, cfg.Agent, token)
	if errors.Is(err, local.ErrNotRunning) {
		got, err = g.enrollAtRest(cmd, e, cfg.Agent, token)
	}
	if err != nil {
		return asked(err)
	}
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{
		{"client", got.Client}, {"site", got.Site}, {"certificate", got.Certificate}, {"valid_until",
			whenever(got.ValidUntil)}, {"next_serial", got.NextSerial},
	})
}

// enrollRunning has the agent that runs do it.
func (g *commands) enrollRunning(cmd *cobra.Command, e enrolling, cfg agent.Config,
	token trust.Token) (local.IdentityReport, error) {
	running := g.agent(cmd)
	status, err := running.Status(cmd.Context())
	if err != nil {
		return local.IdentityReport{}, err
	}
	relay, err := relayFor(e.relay, cmp.Or(status.Relay, cfg.Relay))
	if err != nil {
		return local.IdentityReport{}, err
	}
	return running.Enroll(cmd.Context(), local.EnrollRequest{Relay: relay, Token: token.String(), Wait: e.wait.Seconds()})
}

// relayFor is the relay to enrol at.
func relayFor(named, known string) (string, error) {
	relay := cmp.Or(named, known)
	if relay == "" {
		return "", cli.Usage(
			errors.New("--relay is missing; name the relay's address, such as --relay https://mp.example:8443"))
	}
	if _, err := parse.URL(relay, "https"); err != nil {
		return "", cli.Usage(fmt.Errorf("--relay: %w", err))
	}
	return relay, nil
}

// enrollAtRest does it where no agent runs.
func (g *commands) enrollAtRest(cmd *cobra.Command, e enrolling, cfg agent.Config,
	token trust.Token) (got local.IdentityReport, err error) {
	own, err := cfg.Client()
	if err != nil {
		return got, err
	}
	dir := g.agentAt(cmd)
	store, err := cache.Open(agentStore(dir), cache.Options{Client: own})
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	creds, err := openCredentials(dir, store, g.Logger(cmd.ErrOrStderr()))
	if err != nil {
		return got, err
	}
	relay, err := relayFor(e.relay, cmp.Or(cfg.Relay, creds.Relay()))
	if err != nil {
		return got, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), e.wait)
	defer cancel()
	err = creds.Enroll(ctx, enrolment(relay, token), func(p credentials.Progress) {
		fmt.Fprintln(cmd.ErrOrStderr(), progress(p))
	})
	return local.NewIdentityReport(creds.Status()), err
}

// progress is one line about an enrolment under way.
func progress(p credentials.Progress) string {
	if p.Pending != "" {
		return fmt.Sprintf("Waiting for an approval: `statewire enroll approve %s` at the site.", p.Pending)
	}
	return fmt.Sprintf("%s; the next attempt is in %v", p.Problem, p.Wait.Round(time.Second))
}

// enrolment is what this machine enrols with.
func enrolment(relay string, token trust.Token) credentials.Request {
	return credentials.Request{Relay: relay, Token: token, NetBIOSName: HostName(), ClientVersion: cli.Version()}
}

// openCredentials opens the credentials of the client of a store, in the folder beside it.
func openCredentials(dir string, store *cache.File, log *slog.Logger) (*credentials.Credentials, error) {
	return credentials.Open(identityFolder(dir), credentials.Options{
		Client: store.Own(), Serials: store.Client(store.Own()), Log: log})
}

// identityFolder is where the agent with its files in dir has what proves who it is.
func identityFolder(dir string) *credentials.Folder {
	return credentials.OpenFolder(filepath.Join(dir, "identity"))
}

// enrolItself gets the client a certificate with the token of agent.enroll_token_file. A token that is refused stays in
// its file, and another one is looked for there. The error is the store's.
func enrolItself(ctx context.Context, file, relay string, creds *credentials.Credentials, look time.Duration,
	log *slog.Logger) error {
	refused := ""
	for ctx.Err() == nil {
		status := creds.Status()
		text, err := os.ReadFile(file)
		if status.Enrolled && status.Ended == "" {
			return removeToken(file, err, log)
		}
		if errors.Is(err, fs.ErrNotExist) && refused == "" {
			log.Info("there is no enrolment token", "file", file)
			return nil
		}
		if err == nil && string(text) != refused {
			if err = enrolWith(ctx, text, relay, creds, log); err == nil {
				continue
			}
			refused = string(text)
			if ctx.Err() == nil && !errors.As(err, new(*credentials.Refusal)) && !errors.Is(err, errToken) {
				return err
			}
		}
		if err != nil && ctx.Err() == nil {
			log.Error("not enrolled; another token in the file is tried", "file", file, "relay", relay, "err", err)
		}
		_ = backoff.Sleep(ctx, look) // the loop looks at ctx
	}
	return nil
}

// errToken is a file of agent.enroll_token_file that holds no token.
var errToken = errors.New("agent.enroll_token_file")

func enrolWith(ctx context.Context, text []byte, relay string, creds *credentials.Credentials, log *slog.Logger) error {
	token, err := cli.ParseToken(text)
	if err != nil {
		return fmt.Errorf("%w: %w", errToken, err)
	}
	return creds.Enroll(ctx, enrolment(relay, token), func(p credentials.Progress) {
		log.Warn("not enrolled yet", "relay", relay, "pending", p.Pending, "why", p.Problem, "wait", p.Wait)
	})
}

// removeToken removes the token with which the client enrolled: nobody needs it any more, and it may be good for
// others.
func removeToken(file string, read error, log *slog.Logger) error {
	if errors.Is(read, fs.ErrNotExist) {
		return nil
	}
	if err := os.Remove(file); err != nil {
		log.Warn("the enrolment token is not needed any more and cannot be removed: remove it", "file", file, "err", err)
		return nil
	}
	log.Info("enrolment token removed: the client has its certificate", "file", file)
	return nil
}

// errNoRelay is what an agent ends with that knows no relay.
var errNoRelay = errors.New("agent.relay is empty, and this client did not enrol yet; set it to the address of the " +
	"relay, such as https://mp.example:8443, in the configuration file or with --set agent.relay=ADDRESS, or enrol with " +
	"`statewire agent enroll --relay ADDRESS --token-file FILE`")
