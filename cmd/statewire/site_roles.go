package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// roles are the stages a process runs.
type roles []string

// allRoles is every role, in the order data flows; built are those that this version has.
var (
	allRoles = []string{"relay", "fsp", "ingest", "resync", "reports", "notifier"}
	built    = []string{"relay", "ingest", "resync", "reports"}

	storeRoles = roles{"ingest", "resync", "reports"} // that read or write the store
)

// parseRoles reads a list as the flag --roles takes it.
func parseRoles(list string) (roles, error) {
	var out roles
	for _, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		switch {
		case !slices.Contains(allRoles, name):
			return nil, fmt.Errorf("--roles names %q; allowed are %s", name, strings.Join(allRoles, ", "))
		case !slices.Contains(built, name):
			return nil, fmt.Errorf("--roles names %q, which this version does not have yet; it has %s", name, strings.Join(built, ", "))
		case !slices.Contains(out, name):
			out = append(out, name)
		}
	}
	return out, nil
}

func (r roles) has(name string) bool { return slices.Contains(r, name) }

// needStore says whether any role reads or writes the store.
func (r roles) needStore() bool { return slices.ContainsFunc(storeRoles, r.has) }

// heldError is a role's lock that another process has.
type heldError struct{ process int }

func (e heldError) Error() string {
	return fmt.Sprintf("process %d runs it on this data directory; stop that first, or choose other --roles", e.process)
}

// lock takes each role's lock in the data directory, so that no role runs twice on it, and returns how to give them back.
func (r roles) lock(data string) (func() error, error) {
	var held []*os.File
	unlock := func() error {
		var errs []error
		for _, f := range held {
			errs = append(errs, f.Close())
		}
		return errors.Join(errs...)
	}
	dir := runDir(data)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of role locks: %w", err)
	}
	for _, role := range r {
		f, err := lockRole(filepath.Join(dir, role+".lock"))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start role %s: %w", role, err), unlock())
		}
		held = append(held, f)
	}
	return unlock, nil
}
