package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/control"
	"statewire/internal/parse"
	"statewire/reports"
	"statewire/reports/explain"
	"statewire/site"
)

// reportCommand has a command below it for each report, so that a report's parameters are flags and a shell completes
// them. They are made only where somebody asks for a report: no other command reads the reports' files.
func reportCommand(g *globals) *cobra.Command {
	var ask asking
	cmd := &cobra.Command{
		Use:     "report NAME",
		Short:   "run a named report; `report list` shows them",
		Example: "  statewire report list\n  statewire report compliance --topic_type 500\n  statewire report compliance --help",
		Args:    oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.knownReport(args[0]); err != nil {
				return err
			}
			return g.runReport(cmd, args[0], &ask)
		},
	}
	ask.register(cmd)
	cmd.SetFlagErrorFunc(g.reportFlagProblem)
	cmd.AddCommand(reportListCommand(g))
	if slices.Contains(g.args, "report") {
		for _, report := range g.earlyCatalog().List() {
			if report.Name != "list" && report.Name != "help" {
				cmd.AddCommand(oneReportCommand(g, report))
			}
		}
	}
	return cmd
}

// reportFlagProblem says first that there is no such report: then none of its flags is known either.
func (g *globals) reportFlagProblem(cmd *cobra.Command, err error) error {
	if at := slices.Index(g.args, "report") + 1; at < len(g.args) && !strings.HasPrefix(g.args[at], "-") {
		if none := g.knownReport(g.args[at]); none != nil {
			return none
		}
	}
	return cli.Usage(fmt.Errorf("%s; see `%s --help`", cli.FlagProblem(err), cmd.CommandPath()))
}

func reportListCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the reports with their parameters",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := g.Config(nil)
			if err != nil {
				return err
			}
			catalog, err := reports.LoadCatalog(cfg.Reports.Dir)
			if err != nil {
				return err
			}
			for _, problem := range catalog.Problems() {
				fmt.Fprintln(cmd.ErrOrStderr(), "statewire: report left out:", problem)
			}
			return catalog.WriteList(cmd.OutOrStdout(), reports.Format(g.Format), terminalView(cmd.OutOrStdout()).Width)
		},
	}
}

func (g *globals) runReport(cmd *cobra.Command, name string, ask *asking) error {
	values, err := ask.values(cmd)
	if err != nil {
		return err
	}
	page, view, err := ask.view(cmd)
	if err != nil {
		return err
	}
	return g.withRunner(cmd, func(r *reports.Runner) error {
		return asUsage(r.WriteReportView(cmd.Context(), cmd.OutOrStdout(), reports.Format(g.Format), name, values, page, view))
	})
}

func sqlCommand(g *globals) *cobra.Command {
	var ask asking
	cmd := &cobra.Command{
		Use:   "sql 'SELECT …'",
		Short: "run one read-only statement on the store",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, view, err := ask.view(cmd)
			if err != nil {
				return err
			}
			g.ownSQL = true
			act := control.Act{Name: "sql.read", Object: "store", Params: args[0]}
			return g.withRunner(cmd, func(r *reports.Runner) error {
				return g.reading(cmd.Context(), act, func() error {
					return asUsage(r.WriteSQL(cmd.Context(), cmd.OutOrStdout(), reports.Format(g.Format), args[0], view))
				})
			})
		},
	}
	ask.registerView(cmd)
	return cmd
}

// knownReport refuses a name that no report has, before the store is opened.
func (g *globals) knownReport(name string) error {
	cfg, _, err := g.Config(nil)
	if err != nil {
		return err
	}
	catalog, err := reports.LoadCatalog(cfg.Reports.Dir)
	if err != nil {
		return err
	}
	_, err = catalog.Get(name)
	if why := catalog.LeftOut(name); why != nil && errors.Is(err, reports.ErrNoReport) {
		return cli.Usage(fmt.Errorf("report %q was left out: %w", name, why))
	}
	return asUsage(err)
}

// asUsage marks a name or parameter that no report has, and a client that cannot be one, as wrong usage.
func asUsage(err error) error {
	var param *reports.ParamError
	if errors.Is(err, reports.ErrNoReport) || errors.As(err, &param) || errors.As(err, new(*reports.RefError)) ||
		errors.As(err, new(*explain.ClientError)) {
		return cli.Usage(err)
	}
	return err
}

// withRunner opens the store and the reports over it for the length of f.
func (g *globals) withRunner(cmd *cobra.Command, f func(*reports.Runner) error) error {
	db, cfg, err := commandStore(cmd.Context(), g)
	if err != nil {
		return err
	}
	runner, err := site.NewRunner(cfg.Reports, db, reports.Deps{Log: g.Quiet()})
	if err == nil {
		err = f(runner)
	}
	return errors.Join(err, db.Close())
}

func parseParams(params []string) (map[string]string, error) {
	values := map[string]string{}
	for _, p := range params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return nil, cli.Usage(fmt.Errorf("--param is %q; write NAME=VALUE", p))
		}
		if _, twice := values[name]; twice {
			return nil, cli.Usage(fmt.Errorf("--param %s is given twice", name))
		}
		values[name] = value
	}
	return values, nil
}

// oneClientArg refuses what cannot be a client before any store is opened.
func oneClientArg(cmd *cobra.Command, args []string) error {
	if err := oneArg(cmd, args); err != nil {
		return err
	}
	if _, _, err := parse.Client(args[0]); err != nil {
		return cli.Usage(&explain.ClientError{Text: args[0], Err: err})
	}
	return nil
}

// oneArg refuses any other number of arguments with the exit code of wrong usage.
func oneArg(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return cli.Usage(fmt.Errorf("%s takes one argument, got %d; see `%s --help`", cmd.Name(), len(args),
			cmd.CommandPath()))
	}
	return nil
}
