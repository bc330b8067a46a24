package main

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

// shared are the flags that every command understands.
type shared struct {
	configFile string
	data       string
	format     string
	logLevel   string
	logFormat  string
	set        []string

	sections []string          // of the configuration, that the command uses
	creates  bool              // the command has --create
	kept     map[string][]byte // files that were read before the process became another user; nil for one that was not there
}

var (
	formats    = tabular.Formats()
	logFormats = []string{"text", "json"}
)

func (g *shared) register(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&g.configFile, "config", "", "configuration file (default: configs/statewire.yaml here, then "+configs.SystemFile+")")
	f.StringVar(&g.data, "data", "./data", "data directory")
	f.StringVar(&g.format, "format", "table", "output of rows: "+strings.Join(formats, ", "))
	f.StringVar(&g.logLevel, "log-level", "info", "least level to log: debug, info, warn, error")
	f.StringVar(&g.logFormat, "log-format", "text", "log lines as text or json")
	f.StringArrayVar(&g.set, "set", nil, "override one configuration key, as KEY=VALUE (repeatable)")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return g.prepare(cmd, nil) }
}

func (g *shared) check() error {
	if !slices.Contains(formats, g.format) {
		return usageError{fmt.Errorf("--format is %q; allowed are %s", g.format, strings.Join(formats, ", "))}
	}
	if !slices.Contains(logFormats, g.logFormat) {
		return usageError{fmt.Errorf("--log-format is %q; allowed are text and json", g.logFormat)}
	}
	if _, err := g.level(); err != nil {
		return err
	}
	abs, err := filepath.Abs(g.data)
	if err != nil {
		return usageError{fmt.Errorf("--data %q: %w", g.data, err)}
	}
	g.data = abs
	return nil
}

func (g *shared) level() (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.logLevel)); err != nil {
		return 0, usageError{fmt.Errorf("--log-level is %q; allowed are debug, info, warn, error", g.logLevel)}
	}
	return level, nil
}

// logger writes to w at the level the flags ask for.
func (g *shared) logger(w io.Writer) *slog.Logger { return slog.New(g.logHandler(w)) }

func (g *shared) logHandler(w io.Writer) slog.Handler {
	level, _ := g.level() // checked before any command ran
	opts := &slog.HandlerOptions{Level: level}
	if g.logFormat == "json" {
		return slog.NewJSONHandler(w, opts)
	}
	return slog.NewTextHandler(w, opts)
}

// config loads the configuration, with the flags' values on top. It is checked as far as the command uses it.
func (g *shared) config(flags map[string]string) (configs.Config, []configs.Value, error) {
	all := map[string]string{}
	for key, value := range flags {
		all[key] = value
	}
	for _, entry := range g.set {
		key, value, ok := strings.Cut(entry, "=")
		if !ok {
			return configs.Config{}, nil, usageError{fmt.Errorf("--set is %q; write KEY=VALUE", entry)}
		}
		all[key] = value
	}
	return configs.Load(configs.Source{File: g.configFile, Env: os.Environ(), Flags: all, Sections: g.sections, Read: g.readFile})
}

// quiet logs warnings and errors only, to standard error: the output of a command is its result.
func (g *shared) quiet() *slog.Logger {
	level, _ := g.level()
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: max(level, slog.LevelWarn)}))
}
