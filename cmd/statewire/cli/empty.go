package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// emptyAllowed marks a flag that may be given without a value.
const emptyAllowed = "empty allowed"

// MayBeEmpty marks flags whose empty value means something.
func MayBeEmpty(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		flag := cmd.Flags().Lookup(name)
		flag.Annotations = map[string][]string{emptyAllowed: nil}
	}
}

// refuseEmpty refuses flags and arguments that were given and are empty: mostly a variable of a script that is not set,
// which must not be taken as not given.
func refuseEmpty(cmd *cobra.Command, args []string) error {
	var errs []error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if _, allowed := f.Annotations[emptyAllowed]; !allowed && isEmpty(f.Value) {
			errs = append(errs, fmt.Errorf("--%s is empty; leave it out, or give it a value", f.Name))
		}
	})
	for i, arg := range args {
		if strings.TrimSpace(arg) == "" {
			errs = append(errs, fmt.Errorf("argument %d of %s is empty; see `%s --help`", i+1, cmd.Name(), cmd.CommandPath()))
		}
	}
	if len(errs) > 0 {
		return Usage(errors.Join(errs...))
	}
	return nil
}

func isEmpty(value pflag.Value) bool {
	texts := []string{value.String()}
	if list, ok := value.(pflag.SliceValue); ok {
		texts = list.GetSlice()
	} else if value.Type() != "string" {
		return false
	}
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			return true
		}
	}
	return false
}
