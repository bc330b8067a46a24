// Package cli is what all commands share: the flags that each understands, exit codes, output in every format, and the
// user that a process works as. It never writes where the named site's user could not.
package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"statewire/configs"
	"statewire/internal/tabular"
)

// version is set by the linker.
var version = "dev"

// Version is the program's.
func Version() string { return version }

// Globals are the flags that every command understands.
type Globals struct {
	ConfigFile string
	Data       string
	Format     string
	LogLevel   string
	logFormat  string
	set        []string

	sections []string // of the configuration, that the command uses
	Creates  bool     // the command has --create
	// files that were read before the process became another user; nil for one that was not there
	kept map[string][]byte
}

var (
	formats    = tabular.Formats()
	logFormats = []string{"text", "json"}
)

// Register adds the flags to the program, and checks them before any command runs.
func (g *Globals) Register(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&g.ConfigFile, "config", "", "configuration file (default: configs/statewire.yaml here, then "+
		configs.SystemFile+")")
	f.StringVar(&g.Data, "data", "./data", "data directory")
	f.StringVar(&g.Format, "format", "table", "output of rows: "+strings.Join(formats, ", "))
	f.StringVar(&g.LogLevel, "log-level", "info", "least level to log: debug, info, warn, error")
	f.StringVar(&g.logFormat, "log-format", "text", "log lines as text or json")
	f.StringArrayVar(&g.set, "set", nil, "override one configuration key, as KEY=VALUE (repeatable)")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return g.Prepare(cmd, nil) }
}

func (g *Globals) check() error {
	if !slices.Contains(formats, g.Format) {
		return Usage(fmt.Errorf("--format is %q; allowed are %s", g.Format, strings.Join(formats, ", ")))
	}
	if !slices.Contains(logFormats, g.logFormat) {
		return Usage(fmt.Errorf("--log-format is %q; allowed are text and json", g.logFormat))
	}
	if _, err := g.level(); err != nil {
		return err
	}
	abs, err := filepath.Abs(g.Data)
	if err != nil {
		return Usage(fmt.Errorf("--data %q: %w", g.Data, err))
	}
	g.Data = abs
	return nil
}

func (g *Globals) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.LogLevel)); err != nil {
		return 0, Usage(fmt.Errorf("--log-level is %q; allowed are debug, info, warn, error", g.LogLevel))
	}
	return level, nil
}

// Logger writes to w at the level the flags ask for.
func (g *Globals) Logger(w io.Writer) *slog.Logger { return slog.New(g.LogHandler(w)) }

// LogHandler is Logger for who adds to it.
func (g *Globals) LogHandler(w io.Writer) slog.Handler {
	level, _ := g.level() // checked before any command ran
	opts := &slog.HandlerOptions{Level: level}
	if g.logFormat == "json" {
		return slog.NewJSONHandler(w, opts)
	}
	return slog.NewTextHandler(w, opts)
}

// Config loads the configuration, with the flags' values on top. It is checked as far as the command uses it.
func (g *Globals) Config(flags map[string]string) (configs.Config, []configs.Value, error) {
	all := map[string]string{}
	for key, value := range flags {
		all[key] = value
	}
	for _, entry := range g.set {
		key, value, ok := strings.Cut(entry, "=")
		if !ok {
			return configs.Config{}, nil, Usage(fmt.Errorf("--set is %q; write KEY=VALUE", entry))
		}
		all[key] = value
	}
	return configs.Load(configs.Source{File: g.ConfigFile, Env: os.Environ(), Flags: all, Sections: g.sections,
		Read: g.ReadFile})
}

// Quiet logs warnings and errors only, to standard error: the output of a command is its result.
func (g *Globals) Quiet() *slog.Logger {
	level, _ := g.level()
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: max(level, slog.LevelWarn)}))
}
