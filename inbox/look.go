package inbox

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"statewire/inbox/disk"
)

// ErrOnlyLooking is the answer to whatever would change an inbox that Look opened.
var ErrOnlyLooking = errors.New("the inbox is open only for looking")

// Look opens the inbox below root to list and read its files. It makes, sweeps and changes nothing there; a folder that
// is missing is an fs.ErrNotExist. What would change something fails with ErrOnlyLooking.
func (c Config) Look(root string, log *slog.Logger) (*Dir, error) {
	return c.openWith(root, log, func(root string, log *slog.Logger) (disk.Disk, error) {
		d, err := disk.Look(root, log)
		return looking{d}, err
	})
}

// looking is a disk that nobody changes.
type looking struct{ disk.Disk }

func (looking) Create(at disk.Folder, name string) (disk.Output, error) {
	return nil, onlyLooking("make", at, name)
}

func (looking) Rename(from disk.Folder, name string, _ disk.Folder, _ string) error {
	return onlyLooking("rename", from, name)
}

func (looking) Replace(from disk.Folder, name string, _ disk.Folder, _ string) error {
	return onlyLooking("rename", from, name)
}

func (looking) Remove(at disk.Folder, name string) error { return onlyLooking("delete", at, name) }
func (looking) Reopen(func()) error                      { return ErrOnlyLooking }
func (looking) Lock() (io.Closer, error)                 { return nil, ErrOnlyLooking }

func onlyLooking(what string, at disk.Folder, name string) error {
	return fmt.Errorf("%s %s/%s: %w", what, at, name, ErrOnlyLooking)
}
