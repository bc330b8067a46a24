package inbox

import (
	"errors"
	"fmt"

	"github.com/fsnotify/fsnotify"
)

// notifier watches through the kernel.
type notifier struct{ *fsnotify.Watcher }

func (k *unixDisk) watch() (watcher, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", k.root, err)
	}
	for lane := range laneFolders {
		if err := w.Add(k.paths[lane]); err != nil {
			return nil, errors.Join(fmt.Errorf("watch %s: %w", k.paths[lane], err), w.Close())
		}
	}
	return notifier{w}, nil
}

func (n notifier) events() <-chan fsnotify.Event { return n.Events }
func (n notifier) errors() <-chan error          { return n.Errors }
func (n notifier) close() error                  { return n.Close() }
