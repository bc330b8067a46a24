package site

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Roles are the stages a process runs.
type Roles []string

// AllRoles is every role, in the order data flows; Built are those that this version has.
var (
	AllRoles = []string{"identity", "relay", "fsp", "ingest", "resync", "reports", "notifier"}
	Built    = []string{"identity", "relay", "ingest", "resync", "reports", "notifier"}

	StoreRoles = Roles{"ingest", "resync", "reports"} // that read or write the store
)

// ParseRoles reads a list as the flag --roles takes it.
func ParseRoles(list string) (Roles, error) {
	var out Roles
	for _, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		switch {
		case !slices.Contains(AllRoles, name):
			return nil, fmt.Errorf("--roles names %q; allowed are %s", name, strings.Join(AllRoles, ", "))
		case !slices.Contains(Built, name):
			return nil, fmt.Errorf("--roles names %q, which this version does not have yet; it has %s", name,
				strings.Join(Built, ", "))
		case !slices.Contains(out, name):
			out = append(out, name)
		}
	}
	return out, nil
}

// Has says whether a role is among them.
func (r Roles) Has(name string) bool { return slices.Contains(r, name) }

// needStore says whether any role reads or writes the store.
func (r Roles) needStore() bool { return slices.ContainsFunc(StoreRoles, r.Has) }

// needInbox says whether any role has to do with reports. A notifier of a split site may not even look into the inbox.
func (r Roles) needInbox() bool {
	return slices.ContainsFunc(r, func(role string) bool { return role != "notifier" })
}

// HeldError is a role's lock that another process has.
type HeldError struct{ Process int }

func (e HeldError) Error() string {
	return fmt.Sprintf("process %d runs it on this data directory; stop that first, or choose other --roles", e.Process)
}

// Lock takes each role's lock in the data directory, so that no role runs twice on it, and returns how to give them
// back.
func (r Roles) Lock(data string) (func() error, error) {
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
		f, err := lockRole(RoleLock(data, role))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start role %s: %w", role, err), unlock())
		}
		held = append(held, f)
	}
	return unlock, nil
}
