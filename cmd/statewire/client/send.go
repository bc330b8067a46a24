package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
	"statewire/internal/parse"
	"statewire/smx"
)

// sending is the flags of `agent send`.
type sending struct {
	state    local.RaisedState
	details  string
	priority int8
	time     string
	now      bool
}

// mandatory are the flags without which there is no state.
var mandatory = []string{"type", "topic", "state"}

func agentSendCommand(g *commands) *cobra.Command {
	var s sending
	cmd := &cobra.Command{
		Use:   "send --type T --topic ID --state N",
		Short: "tell this machine's agent of a state; --now sends it at once, and alone sends what waits",
		Long: "Records a state with the agent of this machine. When the command returns, the state is on disk; it goes " +
			"with the next report,\n" +
			"and at once with --now. Of a topic (type and id) only the latest state is kept and sent.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return g.agentSend(cmd, s) },
	}
	f := cmd.Flags()
	f.Uint32Var(&s.state.TopicType, "type", 0,
		"topic type, such as 500 for the detection of an update; the report state-names lists them")
	f.StringVar(&s.state.TopicID, "topic", "", "topic id: what the state is about")
	f.StringVar(&s.state.Title, "title", "", "what people call the topic id, for the site's reports: up to 300 characters")
	f.Uint32Var(&s.state.StateID, "state", 0, "state id")
	f.StringArrayVar(&s.state.Params, "param", nil, "a parameter, such as an error code (repeatable, in order)")
	f.StringVar(&s.details, "details", "", "a text of up to 1 MiB; @FILE reads it from a file, - from standard input")
	f.Uint16Var(&s.state.TopicIDType, "id-type", 0, "kind of the topic id: 1 item, 2 assignment, 3 update")
	f.Uint32Var(&s.state.Criticality, "criticality", 0, "criticality of the state")
	f.Int8Var(&s.priority, "priority", 0, "0 (urgent) to 10; without it the report names none, which counts as 5")
	f.StringVar(&s.time, "time", "", "when the state changed, such as 2026-03-10T08:00:00Z; default: now")
	cli.MayBeEmpty(cmd, "param", "details")
	f.BoolVar(&s.state.Instant, "instant", false, "no serial: sent at once, then forgotten")
	f.BoolVar(&s.now, "now", false, "send at once, and say what came of it")
	return cmd
}

func (g *commands) agentSend(cmd *cobra.Command, s sending) error {
	given, others := 0, 0
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case slices.Contains(mandatory, f.Name):
			given++
		case f.Name != "now" && cmd.InheritedFlags().Lookup(f.Name) == nil:
			others++
		}
	})
	if given+others == 0 && s.now {
		sent, err := g.agent(cmd).Send(cmd.Context())
		if err != nil {
			return asked(err)
		}
		return writeFlushed(g, cmd, sent)
	}
	if given < len(mandatory) {
		return cli.Usage(errors.New("a state needs --type, --topic and --state; --now alone sends what waits"))
	}
	if err := s.complete(cmd); err != nil {
		return err
	}
	answer, err := g.agent(cmd).Raise(cmd.Context(), local.RaiseRequest{States: []local.RaisedState{s.state}, Now: s.now})
	if err != nil {
		return asked(err)
	}
	if answer.Sent != nil {
		return writeFlushed(g, cmd, *answer.Sent)
	}
	return cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{{"recorded", answer.Recorded}})
}

// complete fills in what is not a plain flag.
func (s *sending) complete(cmd *cobra.Command) (err error) {
	if cmd.Flags().Changed("priority") {
		s.state.Priority = &s.priority
	}
	if s.time != "" {
		if s.state.Time, err = parse.Time(s.time); err != nil {
			return cli.Usage(fmt.Errorf("--time is %.60q; write it like 2026-03-10T08:00:00Z", s.time))
		}
	}
	s.state.Details, err = readDetails(s.details, cmd.InOrStdin())
	return err
}

// readDetails is the text itself, or what the file or standard input that it names holds.
func readDetails(given string, stdin io.Reader) (string, error) {
	from := stdin
	if path, ok := strings.CutPrefix(given, "@"); ok {
		f, err := os.Open(path)
		if err != nil {
			return "", cli.Usage(fmt.Errorf("--details: %w", err))
		}
		defer f.Close()
		from = f
	} else if given != "-" {
		return given, nil
	}
	text, err := io.ReadAll(io.LimitReader(from, smx.MaxDetailsBytes+1))
	if err != nil {
		return "", fmt.Errorf("read --details: %w", err)
	}
	if len(text) > smx.MaxDetailsBytes {
		return "", cli.Usage(fmt.Errorf("--details are longer than %d bytes", smx.MaxDetailsBytes))
	}
	return string(text), nil
}

// writeFlushed prints what came of sending at once. States that did not go are safe, but somebody wanted them sent.
func writeFlushed(g *commands, cmd *cobra.Command, f local.Flushed) error {
	err := cli.WriteRecord(cmd.OutOrStdout(), g.Format, []cli.Field{
		{"sent", f.Done}, {"unsent", f.Unsent}, {"last_serial", f.LastSerial}, {"receipt", f.Receipt}, {"problem", f.Problem},
	})
	if err == nil && !f.Done {
		err = fmt.Errorf("%s not sent yet: %s; the agent goes on trying", cli.FmtCount(f.Unsent, "state"), f.Problem)
	}
	return err
}
