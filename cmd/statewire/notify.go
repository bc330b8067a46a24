package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/identity"
	"statewire/internal/control"
	"statewire/internal/parse"
	"statewire/notifier/manager"
	"statewire/notifier/wire"
	"statewire/site"
)

// taskQueue is the notification manager of the running site, as the commands about tasks call it.
type taskQueue interface {
	Plan(context.Context, manager.By, manager.Order) (manager.Plan, error)
	Create(context.Context, manager.By, manager.Order) (manager.TaskStatus, error)
	List(context.Context, manager.By, manager.ListOptions) ([]manager.TaskStatus, error)
	Show(context.Context, manager.By, string, manager.ShowOptions,
		func(manager.StepStatus) error) (manager.TaskStatus, error)
	Output(ctx context.Context, by manager.By, id string, client uuid.UUID) (manager.StepStatus, error)
	Cancel(ctx context.Context, by manager.By, id, reason string) (manager.TaskStatus, error)
	Approve(ctx context.Context, by manager.By, id string) (manager.TaskStatus, error)
	SetRate(ctx context.Context, by manager.By, id string, rate int) (manager.TaskStatus, error)
	Stop(ctx context.Context, by manager.By, reason string) error
	Resume(ctx context.Context, by manager.By, reason string) error
}

// notifyFlags are those of a task that somebody asks for.
type notifyFlags struct {
	targets  targetFlags
	params   []string
	validity string
	rate     int
	spread   time.Duration
	expect   int
	reason   string
	yes, dry bool
	wait     bool
	list     bool
}

func notifyCommand(g *globals) *cobra.Command {
	f := &notifyFlags{}
	cmd := &cobra.Command{
		Use:   "notify TASK",
		Short: "ask clients to do something now: a task, at once for those that are connected",
		Long: "Asks clients to do a task. Those that are connected get it at once, the others when they connect while it " +
			"is valid: one hour,\n" +
			"unless --validity says otherwise. TASK is the task's id, or its last part: Policy, TestEvent. `statewire notify " +
			"--list` lists\n" +
			"the tasks. First it says how many clients are meant and how many of them are connected; on a terminal it then " +
			"asks, elsewhere it\n" +
			"needs --yes. Above tasks.confirm_above clients it needs their number, too: --targets N.\n\n" +
			"Exit codes: 0 done, with --wait: every client succeeded; 1 not done, with --wait: a client failed, refused, or " +
			"its time was over,\n" +
			"or Ctrl-C ended the waiting, and the task goes on; 2 wrong usage.",
		Example: "  statewire notify TestEvent --client PC-01 --param Text=hello --wait\n" +
			"  statewire notify Policy --collection pilot --yes\n" +
			"  statewire notify FullScan --all --rate 10 --spread 30m --validity 8h --targets 4200 --yes --reason INC4711\n" +
			"  statewire notify --list",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.list:
				return cli.NoArgs(cmd, args)
			case len(args) == 0:
				return cli.Usage(errors.New("name the task; `statewire notify --list` lists all"))
			}
			return oneArg(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.list {
				return g.listTasks(cmd.OutOrStdout())
			}
			return g.notify(cmd, args[0], f)
		},
	}
	f.register(cmd)
	cmd.AddCommand(notifyStopCommand(g), notifyResumeCommand(g))
	return cmd
}

func (f *notifyFlags) register(cmd *cobra.Command) {
	f.targets.registerClients(cmd)
	f.targets.registerCollection(cmd)
	f.targets.registerAll(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.params, "param", nil, "a parameter of the task, as NAME=VALUE (repeatable)")
	flags.StringVar(&f.validity, "validity", "", "how long clients may begin, as 30m or 2d, from 1m to 30d; lasting is "+
		"30 days, and in the policy, too (default notifier.task_validity)")
	flags.IntVar(&f.rate, "rate", 0, "clients a second, at most; 0 is as many as notifier.throttle allows")
	cli.DurationVar(flags, &f.spread, "spread", "clients begin at different times within this, as 30m")
	flags.IntVar(&f.expect, "targets", 0, "how many clients you count on: with any other number nothing is done")
	flags.StringVar(&f.reason, "reason", "", "why; it is kept with the task and in the audit log")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.dry, "dry-run", false, "only say whom it would reach, and how long that takes")
	flags.BoolVar(&f.wait, "wait", false, "wait until every client came to an end, or its time is over")
	flags.BoolVar(&f.list, "list", false, "list the tasks that there are")
}

// lasting is the validity of a task that stands in the policy, too.
const lasting = "lasting"

// order is the task as the flags ask for it.
func (f *notifyFlags) order(name string) (manager.Order, error) {
	o := manager.Order{Name: name, Collection: f.targets.collection, All: f.targets.all, Rate: f.rate, Spread: f.spread,
		Expect: f.expect, Reason: f.reason}
	for _, one := range f.params {
		key, value, ok := strings.Cut(one, "=")
		if !ok || key == "" {
			return o, cli.Usage(fmt.Errorf("--param is %.60q; write NAME=VALUE", one))
		}
		o.Parameters = append(o.Parameters, wire.Parameter{Name: key, Value: value})
	}
	switch d, err := parse.Duration(f.validity); {
	case f.validity == "":
	case f.validity == lasting:
		o.Lasting = true
	case err != nil, d < time.Minute, d > 30*24*time.Hour:
		return o, cli.Usage(fmt.Errorf("--validity is %.60q; write a time from 1m to 30d, or lasting", f.validity))
	default:
		o.Validity = d
	}
	for flag, negative := range map[string]bool{"rate": f.rate < 0, "spread": f.spread < 0, "targets": f.expect < 0} {
		if negative {
			return o, cli.Usage(fmt.Errorf("--%s is negative", flag))
		}
	}
	return o, nil
}

func (g *globals) notify(cmd *cobra.Command, name string, f *notifyFlags) error {
	o, err := f.order(name)
	if err != nil {
		return err
	}
	// the clients are looked up before the site is asked: names need the store
	if o.Clients, err = g.notified(cmd.Context(), &f.targets); err != nil {
		return err
	}
	return g.withTasks(cmd.Context(), func(ctx context.Context, q taskQueue) error {
		plan, err := q.Plan(ctx, manager.By{}, o)
		if err != nil {
			return err
		}
		if f.dry {
			return g.writePlan(cmd.OutOrStdout(), plan)
		}
		made, err := g.send(ctx, newAsker(cmd), q, o, plan, f.yes)
		if err != nil {
			return err
		}
		if !f.wait {
			return g.writeMade(cmd.OutOrStdout(), made)
		}
		return g.waitFor(ctx, cmd, q, made)
	})
}

// notified are the clients that were named one by one.
func (g *globals) notified(ctx context.Context, t *targetFlags) ([]uuid.UUID, error) {
	target, err := g.target(ctx, t)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for _, id := range target.Clients {
		ids = append(ids, uuid.UUID(id))
	}
	return ids, nil
}

// withTasks hands f the running site's manager. No site that does not run can send a task.
func (g *globals) withTasks(ctx context.Context, f func(context.Context, taskQueue) error) error {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	if err := g.needData(cfg); err != nil {
		return err
	}
	socket := site.ManagerSocket(g.Data)
	if site.Holder(g.Data, "ingest") == 0 {
		return fmt.Errorf("no site runs on %s, and only a running one has tasks: start it with `statewire serve`; where "+
			"roles "+
			"run apart, the one of ingest is needed", g.Data)
	}
	if !site.Listens(socket) {
		return fmt.Errorf("the site on %s runs, and its notification manager does not answer: it is still starting, or its "+
			"log says why it does not start", g.Data)
	}
	client := manager.Dial(socket)
	defer client.Close()
	return asTaskUsage(f(ctx, client))
}

// wronglyAsked are the codes of refusals that another call of the same person can do without.
var wronglyAsked = map[string]bool{"bad_parameter": true, "not_overridable": true, "no_task": true,
	"no_collection": true,
	"not_confirmed": true, "no_client": true, "no_targets": true, "bad_request": true}

// asTaskUsage marks what a person wrote wrongly.
func asTaskUsage(err error) error {
	var wrong *control.InvalidError
	if err != nil && (errors.As(err, &wrong) || wronglyAsked[codeOf(err)] || errors.Is(err, control.ErrNotFound)) {
		return cli.Usage(err)
	}
	return err
}

// codeOf is what a refusal is called, from this process or another; empty for any other error.
func codeOf(err error) string {
	var refused *identity.Refusal
	if errors.As(err, &refused) {
		return refused.Code
	}
	return control.Code(err)
}
