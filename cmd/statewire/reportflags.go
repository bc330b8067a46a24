package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"statewire/cmd/statewire/cli"
	"statewire/reports"
)

// asking is how one report is asked for: its parameters, and how its rows are shown.
type asking struct {
	report   *reports.Report // nil where the report is not known before the configuration is
	params   []string
	columns  []string
	limit    int
	sort     string
	noHeader bool
}

func (a *asking) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&a.params, "param", nil, "a parameter of the report, as NAME=VALUE (repeatable)")
	f.IntVar(&a.limit, "limit", 0, "most rows to show")
	f.StringVar(&a.sort, "sort", "", "column to order all rows by; COLUMN:desc for the greatest first")
	a.registerView(cmd)
}

// registerView adds how rows are shown.
func (a *asking) registerView(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&a.columns, "columns", nil, "columns to show, in this order; all shows every column, whatever fits")
	f.BoolVar(&a.noHeader, "no-header", false, "leave out the line of column names in a table or CSV")
}

// oneReportCommand is `report NAME` with the report's parameters as flags.
func oneReportCommand(g *globals, report *reports.Report) *cobra.Command {
	ask := &asking{report: report}
	cmd := &cobra.Command{
		Use:     report.Name,
		Short:   report.Title,
		Long:    report.Title + ".\n\n" + report.Description,
		Example: examples(report),
		Args:    cli.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return g.runReport(cmd, report.Name, ask) },
	}
	ask.register(cmd)
	cmd.SetFlagErrorFunc(ask.flagProblem)
	for _, p := range report.Params {
		if slices.Contains(taken, p.Name) || cmd.Flags().Lookup(p.Name) != nil {
			continue // --param gives it
		}
		cmd.Flags().Var(&paramFlag{typ: p.Type, text: p.Default}, p.Name, usageOf(p))
		cli.MayBeEmpty(cmd, p.Name)
		_ = cmd.RegisterFlagCompletionFunc(p.Name, g.completeParam(p)) // fails for a flag that is not there
	}
	cmd.Flags().SetNormalizeFunc(ask.normalize)
	return cmd
}

// taken are the names of flags that every command understands.
var taken = []string{"config", "data", "format", "log-level", "log-format", "set", "help", "version"}

// normalize takes topic-id for topic_id.
func (a *asking) normalize(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	under := strings.ReplaceAll(name, "-", "_")
	if slices.ContainsFunc(a.report.Params, func(p reports.Param) bool { return p.Name == under }) {
		return pflag.NormalizedName(under)
	}
	return pflag.NormalizedName(name)
}

// flagProblem says which parameters there are.
func (a *asking) flagProblem(cmd *cobra.Command, err error) error {
	text := cli.FlagProblem(err)
	if name, unknown := strings.CutPrefix(text, "unknown flag: --"); unknown {
		known := a.report.CheckNames(map[string]string{strings.ReplaceAll(name, "-", "_"): ""})
		if known != nil {
			return cli.Usage(known)
		}
	}
	return cli.Usage(fmt.Errorf("%s; see `%s --help`", text, cmd.CommandPath()))
}

// paramFlag is a parameter as a flag: its text is checked where all ways of giving it are.
type paramFlag struct{ typ, text string }

func (f *paramFlag) String() string        { return f.text }
func (f *paramFlag) Set(text string) error { f.text = text; return nil }
func (f *paramFlag) Type() string          { return f.typ }

func usageOf(p reports.Param) string {
	text := strings.ReplaceAll(p.Description, "`", "'")
	switch {
	case len(p.Allowed) > 0:
		text += " (" + strings.Join(slices.DeleteFunc(slices.Clone(p.Allowed), func(s string) bool { return s == "" }), ", ") + ")"
	case p.Low != "":
		text += " (" + p.Low + " to " + p.High + ")"
	}
	if p.Required {
		text += " (required)"
	}
	return text
}

// examples are calls of the report that a person can start from.
func examples(r *reports.Report) string {
	base := "  statewire report " + r.Name
	for _, p := range r.Params {
		if p.Required {
			base += " --" + p.Name + " " + strings.ToUpper(p.Name)
		}
	}
	lines := []string{base}
	for _, p := range r.Params {
		switch p.Name {
		case "collection":
			lines = append(lines, base+" --collection web")
		case "search":
			lines = append(lines, base+" --search office")
		}
	}
	return strings.Join(append(lines, base+" --format csv > "+r.Name+".csv"), "\n")
}

// values are the parameters, given by flag or as NAME=VALUE.
func (a *asking) values(cmd *cobra.Command) (map[string]string, error) {
	values, err := parseParams(a.params)
	if err != nil || a.report == nil {
		return values, err
	}
	for _, p := range a.report.Params {
		flag := cmd.Flags().Lookup(p.Name)
		if flag == nil || !flag.Changed || slices.Contains(taken, p.Name) {
			continue
		}
		if _, twice := values[p.Name]; twice {
			return nil, cli.Usage(fmt.Errorf("%s is given twice, as a flag and with --param", p.Name))
		}
		values[p.Name] = flag.Value.String()
	}
	return values, nil
}

// view is how the rows are shown where the command writes to.
func (a *asking) view(cmd *cobra.Command) (reports.Page, reports.View, error) {
	if cmd.Flags().Changed("limit") && a.limit < 1 {
		return reports.Page{}, reports.View{}, cli.Usage(fmt.Errorf("--limit is %d; write a whole number from 1", a.limit))
	}
	view := terminalView(cmd.OutOrStdout())
	view.Columns, view.NoHeader = a.columns, a.noHeader
	return reports.Page{Limit: a.limit, Sort: a.sort}, view, nil
}

// unknownWidth is that of a terminal that does not say how wide it is.
const unknownWidth = 80

// terminalView fits a terminal; anything else gets everything as it is.
func terminalView(w io.Writer) reports.View {
	if !cli.IsTerminal(w) {
		return reports.View{}
	}
	view := reports.View{Width: unknownWidth, Terminal: true, Colour: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if width, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && width > 0 {
		view.Width = width
	}
	return view
}

// earlyCatalog is the catalog as far as the command line tells it before it is read in earnest: whatever is wrong with
// it, the command itself says.
func (g *globals) earlyCatalog() *reports.Catalog {
	var early globals
	var root cobra.Command
	early.Register(&root)
	flags := root.PersistentFlags()
	flags.BoolP("help", "h", false, "")
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.SetOutput(io.Discard)
	dir := ""
	if flags.Parse(g.args) == nil {
		if cfg, _, err := early.Config(nil); err == nil {
			dir = cfg.Reports.Dir
		}
	}
	catalog, err := reports.LoadCatalog(dir)
	if err != nil {
		catalog, err = reports.LoadCatalog("")
	}
	if err != nil {
		return &reports.Catalog{} // the built-in ones are tested
	}
	return catalog
}
