package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"statewire/identity"
)

// A command that somebody adds without saying who may run it stops the build here.
func TestEveryCommandHasARowInTheTableOfPermissions(t *testing.T) {
	commands := 0
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			look(sub)
		}
		if !does(cmd) {
			return
		}
		commands++
		name := strings.TrimPrefix(cmd.CommandPath(), "statewire ")
		if _, ok := identity.NeedOf(identity.AtCommand, name); !ok {
			t.Errorf("`statewire %s` has no row in the table of permissions", name)
		}
	}
	look((&globals{}).root())
	if commands < 38 {
		t.Errorf("only %d commands: the walk is broken", commands)
	}
}

// Back quotes in a flag's text name its value: a command that is quoted there would stand in the help as its value.
func TestAFlagsValueIsAWord(t *testing.T) {
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			look(sub)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if value, _ := pflag.UnquoteUsage(f); strings.Contains(value, " ") {
				t.Errorf("the help of `%s` shows --%s %s", cmd.CommandPath(), f.Name, value)
			}
		})
	}
	look((&globals{}).root())
}

// does says whether a command does something. A group of commands only shows its help: it refuses every word.
func does(cmd *cobra.Command) bool {
	if !cmd.Runnable() {
		return false
	}
	if !cmd.HasSubCommands() || cmd.Args == nil {
		return true
	}
	err := cmd.Args(cmd, []string{"word"})
	return err == nil || !strings.Contains(err.Error(), "unknown command")
}
