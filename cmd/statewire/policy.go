package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/parse"
	"statewire/policies"
	"statewire/smx/policy"
)

func policyCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "what the clients of a collection are told: intervals, paused topics, relay and notifier",
		Args:  cli.UnknownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(policySetCommand(g), policyListCommand(g))
	return cmd
}

// policyFlags are changes of a policy; what is not named stays.
type policyFlags struct {
	collection    string
	priority      uint32
	send, poll    time.Duration
	pause, resume []uint32
	intervals     []string
	relay         string
	notifier      string
	clear         bool
}

// policyChanges are the flags that change something.
var policyChanges = []string{"priority", "send-interval", "policy-interval", "pause", "resume", "topic-interval",
	"relay", "notifier", "clear"}

func policySetCommand(g *globals) *cobra.Command {
	var f policyFlags
	cmd := &cobra.Command{
		Use:   "set --collection NAME",
		Short: "change the policy of a collection",
		Long: "Changes what the clients of a collection are told. Those with a channel are woken to ask for it, the\n" +
			"others learn of it at their next poll. What is not named stays; 0 or an empty value says nothing\n" +
			"again. Where a client's collections disagree about a setting, the policy of the smallest --priority wins.",
		Example: "  statewire policy set --collection branch --send-interval 1h --pause 500\n" +
			"  statewire policy set --collection branch --clear",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.collection == "" {
				return cli.Usage(errors.New("name the collection with --collection"))
			}
			if !slices.ContainsFunc(policyChanges, cmd.Flags().Changed) {
				return cli.Usage(errors.New(
					"name what is to change, as --send-interval 1h, or --clear for a policy that says nothing"))
			}
			return g.withResync(cmd, true, func(r resyncRole) error { return g.setPolicy(cmd, r, f) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.collection, "collection", "", "the collection")
	flags.Uint32Var(&f.priority, "priority", 0, "the smallest wins where collections disagree (default 1000)")
	cli.DurationVar(flags, &f.send, "send-interval", "time between two sends of what changed")
	cli.DurationVar(flags, &f.poll, "policy-interval", "time between two policy polls")
	flags.Var((*topicList)(&f.pause), "pause", "keep the states of this topic type at the client (repeatable)")
	flags.Var((*topicList)(&f.resume), "resume", "send the states of this topic type again (repeatable)")
	flags.StringArrayVar(&f.intervals, "topic-interval", nil,
		"least time between two sends of a topic type, as 500=4h (repeatable)")
	flags.StringVar(&f.relay, "relay", "", "base address of the relay that the clients are assigned to")
	flags.StringVar(&f.notifier, "notifier", "", "host and port of the notifier that the clients are assigned to")
	cli.MayBeEmpty(cmd, "relay", "notifier") // says nothing of it any more
	flags.BoolVar(&f.clear, "clear", false, "begin with a policy that says nothing")
	return cmd
}

// topicList are topic types given one by one or with commas.
type topicList []uint32

func (l *topicList) String() string { return "" }
func (l *topicList) Type() string   { return "TYPE" }

// Set reads one flag.
func (l *topicList) Set(text string) error {
	for _, part := range strings.Split(text, ",") {
		kind, err := parseTopic(part)
		if err != nil {
			return err
		}
		*l = append(*l, kind)
	}
	return nil
}

func parseTopic(text string) (uint32, error) {
	kind, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no topic type; write its number, as 500", text)
	}
	return uint32(kind), nil
}

func (g *globals) setPolicy(cmd *cobra.Command, r resyncRole, f policyFlags) error {
	list, err := r.policies.List(cmd.Context())
	if err != nil {
		return err
	}
	var settings policies.Settings
	if at := slices.IndexFunc(list, func(p policies.Policy) bool { return p.Collection == f.collection }); at >= 0 &&
		!f.clear {
		settings = list[at].Settings
	}
	if err := f.change(cmd, &settings); err != nil {
		return err
	}
	p, err := r.policies.Set(cmd.Context(), f.collection, settings)
	if err != nil {
		return err
	}
	if g.Format == "table" && !p.Says() {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "nothing is said to the clients of %s any more\n", p.Collection)
		return err
	}
	return cli.WriteRecords(cmd.OutOrStdout(), g.Format, policyColumns, [][]any{policyRow(p)})
}

// change applies the flags that were given.
func (f policyFlags) change(cmd *cobra.Command, p *policies.Settings) error {
	given := cmd.Flags().Changed
	if given("priority") {
		p.Priority = f.priority
	}
	if given("send-interval") {
		p.SendInterval = f.send
	}
	if given("policy-interval") {
		p.PolicyInterval = f.poll
	}
	if given("relay") {
		p.Relay = f.relay
	}
	if given("notifier") {
		p.Notifier = f.notifier
	}
	topics := map[uint32]policy.Topic{}
	for _, t := range p.Topics {
		topics[t.Type] = t
	}
	change := func(kind uint32, how func(*policy.Topic)) {
		t := topics[kind]
		t.Type = kind
		how(&t)
		topics[kind] = t
	}
	for _, kind := range f.pause {
		change(kind, func(t *policy.Topic) { t.Paused = true })
	}
	for _, kind := range f.resume {
		change(kind, func(t *policy.Topic) { t.Paused = false })
	}
	for _, text := range f.intervals {
		kind, interval, err := parseTopicInterval(text)
		if err != nil {
			return err
		}
		change(kind, func(t *policy.Topic) { t.Interval = interval })
	}
	p.Topics = nil
	for _, t := range topics {
		if t.Paused || t.Interval != 0 {
			p.Topics = append(p.Topics, t)
		}
	}
	return nil
}

func parseTopicInterval(text string) (uint32, time.Duration, error) {
	left, right, ok := strings.Cut(text, "=")
	kind, err := parseTopic(left)
	interval, wrong := parse.Duration(right)
	if !ok || err != nil || wrong != nil {
		return 0, 0, cli.Usage(fmt.Errorf("--topic-interval is %.60q; write TYPE=DURATION, as 500=4h", text))
	}
	return kind, interval, nil
}

func policyListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the policies of the collections, the one that wins first",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withResync(cmd, false, func(r resyncRole) error {
				list, err := r.policies.List(cmd.Context())
				if err != nil {
					return err
				}
				rows := make([][]any, len(list))
				for i, p := range list {
					rows[i] = policyRow(p)
				}
				return cli.WriteRecords(cmd.OutOrStdout(), g.Format, policyColumns, rows)
			})
		},
	}
}

var policyColumns = []string{"collection", "priority", "send_interval", "policy_interval", "paused_topics",
	"topic_intervals", "relay", "notifier", "changed_time"}

func policyRow(p policies.Policy) []any {
	var paused, intervals []string
	for _, t := range p.Topics {
		if t.Paused {
			paused = append(paused, strconv.FormatUint(uint64(t.Type), 10))
		}
		if t.Interval > 0 {
			intervals = append(intervals, fmt.Sprintf("%d=%s", t.Type, cli.Duration(t.Interval)))
		}
	}
	return []any{p.Collection, p.Priority, cli.Duration(p.SendInterval), cli.Duration(p.PolicyInterval),
		strings.Join(paused, ","), strings.Join(intervals, ","),
		p.Relay, p.Notifier, cli.Moment(p.Changed)}
}
