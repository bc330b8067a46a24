package cli

import (
	"strings"
	"time"

	"github.com/spf13/pflag"

	"statewire/internal/parse"
)

// span is a duration on the command line, which may be in days as in the configuration.
type span time.Duration

// DurationVar is pflag's DurationVar for a span; what d holds is the default.
func DurationVar(flags *pflag.FlagSet, d *time.Duration, name, usage string) {
	flags.Var((*span)(d), name, usage)
}

func (s *span) String() string { return Duration(time.Duration(*s)) }
func (s *span) Type() string   { return "duration" }

// Set reads one flag.
func (s *span) Set(text string) error {
	d, err := parse.Duration(text)
	if err == nil {
		*s = span(d)
	}
	return err
}

// Duration writes a duration without its zero parts; nothing for none.
func Duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	text := d.String()
	for _, zero := range []string{"0s", "0m"} {
		if short := strings.TrimSuffix(text, zero); short != text && strings.ContainsAny(short[len(short)-1:], "hm") {
			text = short
		}
	}
	return text
}
