package inbox

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// ErrOnlyLooking is the answer to whatever would change an inbox that Look opened.
var ErrOnlyLooking = errors.New("the inbox is open only for looking")

// Look opens the inbox below root to list and read its files. It makes, sweeps and changes nothing there; a folder that is
// missing is an fs.ErrNotExist. What would change something fails with ErrOnlyLooking.
func (c Config) Look(root string, log *slog.Logger) (*Dir, error) {
	return c.openWith(root, log, func(root string, log *slog.Logger) (disk, error) {
		d, err := lookDisk(root, log)
		return looking{d}, err
	})
}

// looking is a disk that nobody changes.
type looking struct{ disk }

func (looking) create(at folder, name string) (output, error) {
	return nil, onlyLooking("make", at, name)
}

func (looking) rename(from folder, name string, _ folder, _ string) error {
	return onlyLooking("rename", from, name)
}

func (looking) replace(from folder, name string, _ folder, _ string) error {
	return onlyLooking("rename", from, name)
}

func (looking) remove(at folder, name string) error { return onlyLooking("delete", at, name) }
func (looking) reopen(func()) error                 { return ErrOnlyLooking }
func (looking) lock() (io.Closer, error)            { return nil, ErrOnlyLooking }

func onlyLooking(what string, at folder, name string) error {
	return fmt.Errorf("%s %s/%s: %w", what, at, name, ErrOnlyLooking)
}
