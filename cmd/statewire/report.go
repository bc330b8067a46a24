package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"statewire/cmd/statewire/cli"
	"statewire/internal/control"
	"statewire/internal/parse"
	"statewire/reports"
	"statewire/reports/explain"
	"statewire/site"
)

func reportCommand(g *globals) *cobra.Command {
	var params []string
	cmd := &cobra.Command{
		Use:   "report NAME",
		Short: "run a named report; `report list` shows them",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := parseParams(params)
			if err != nil {
				return err
			}
			if err := g.knownReport(args[0]); err != nil {
				return err
			}
			return g.withRunner(cmd, func(r *reports.Runner) error {
				err := r.WriteReport(cmd.Context(), cmd.OutOrStdout(), reports.Format(g.Format), args[0], values, reports.Page{})
				return asUsage(err)
			})
		},
	}
	cmd.Flags().StringArrayVar(&params, "param", nil, "a parameter of the report, as NAME=VALUE (repeatable)")
	cmd.AddCommand(&cobra.Command{
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
			return catalog.WriteList(cmd.OutOrStdout(), reports.Format(g.Format))
		},
	})
	return cmd
}

func sqlCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "sql 'SELECT …'",
		Short: "run one read-only statement on the store",
		Args:  oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			g.ownSQL = true
			act := control.Act{Name: "sql.read", Object: "store", Params: args[0]}
			return g.withRunner(cmd, func(r *reports.Runner) error {
				return g.reading(cmd.Context(), act, func() error {
					return r.WriteSQL(cmd.Context(), cmd.OutOrStdout(), reports.Format(g.Format), args[0])
				})
			})
		},
	}
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
	if errors.Is(err, reports.ErrNoReport) || errors.As(err, &param) || errors.As(err, new(*explain.ClientError)) {
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
