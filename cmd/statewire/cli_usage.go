package main

import (
	"errors"

	"statewire/cmd/statewire/cli"
	"statewire/internal/control"
)

// asSiteUsage marks a data directory in which no site can be.
func asSiteUsage(err error) error {
	if errors.Is(err, control.ErrTooLong) {
		return cli.Usage(err)
	}
	return err
}
