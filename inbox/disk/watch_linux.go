package disk

import (
	"errors"
	"fmt"

	"github.com/fsnotify/fsnotify"
)

// notifier watches through the kernel.
type notifier struct{ kernel *fsnotify.Watcher }

// Watch watches the lanes.
func (k *Unix) Watch() (Watcher, error) {
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

func (n notifier) Events() <-chan fsnotify.Event { return n.kernel.Events }
func (n notifier) Errors() <-chan error          { return n.kernel.Errors }
func (n notifier) Close() error                  { return n.kernel.Close() }
