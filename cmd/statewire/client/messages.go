package client

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
)

func agentMessagesCommand(g *commands) *cobra.Command {
	var asReport, sent, refused bool
	cmd := &cobra.Command{
		Use:   "messages",
		Short: "what this machine's agent holds: the latest state of every topic; or what it sent",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if count(asReport, sent, refused) > 1 {
				return cli.Usage(errors.New("--as-report, --sent and --refused show different things; choose one"))
			}
			if asReport {
				return g.agentReport(cmd)
			}
			all, err := g.agent(cmd).Messages(cmd.Context())
			if err != nil {
				return asked(err)
			}
			columns, rows := heldRows(all.Held)
			switch {
			case sent:
				columns, rows = sentRows(all.Sent)
			case refused:
				columns, rows = refusedRows(all.Refused)
			}
			return cli.WriteRecords(cmd.OutOrStdout(), g.Format, columns, rows)
		},
	}
	cmd.Flags().BoolVar(&asReport, "as-report", false, "what it holds, as the XML of one report")
	cmd.Flags().BoolVar(&sent, "sent", false, "what it sent lately, with serial and receipt, and what is under way")
	cmd.Flags().BoolVar(&refused, "refused", false, "states that the relay never takes, and why")
	return cmd
}

func count(flags ...bool) (n int) {
	for _, set := range flags {
		if set {
			n++
		}
	}
	return n
}

func (g *commands) agentReport(cmd *cobra.Command) error {
	text, err := g.agent(cmd).Report(cmd.Context())
	if err != nil {
		return asked(err)
	}
	_, err = cmd.OutOrStdout().Write(append(text, '\n'))
	return err
}

func heldRows(held []local.HeldState) ([]string, [][]any) {
	rows := make([][]any, len(held))
	for i, s := range held {
		rows[i] = []any{s.TopicType, s.TopicID, s.StateID, s.Serial, s.Place, whenever(s.Time), strings.Join(s.Params, " | ")}
	}
	return []string{"topic_type", "topic_id", "state_id", "serial", "place", "time", "params"}, rows
}

func sentRows(sent []local.SentState) ([]string, [][]any) {
	rows := make([][]any, len(sent))
	for i, s := range sent {
		rows[i] = []any{s.Serial, s.TopicType, s.TopicID, s.StateID, whenever(s.Raised), whenever(s.Packed), whenever(s.Sent),
			s.Outcome, s.Receipt, s.File}
	}
	return []string{"serial", "topic_type", "topic_id", "state_id", "raised", "packed", "sent", "outcome", "receipt",
		"file"}, rows
}

func refusedRows(refused []local.RefusedState) ([]string, [][]any) {
	rows := make([][]any, len(refused))
	for i, s := range refused {
		rows[i] = []any{whenever(s.Refused), s.Serial, s.TopicType, s.TopicID, s.StateID, s.Code, s.Detail}
	}
	return []string{"refused", "serial", "topic_type", "topic_id", "state_id", "code", "detail"}, rows
}
