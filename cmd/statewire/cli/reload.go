package cli

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"statewire/configs"
)

// settleDelay lets an editor finish writing the configuration file before it is read.
const settleDelay = 200 * time.Millisecond

// LiveKeys are the keys, or the sections, that take effect while a site runs.
func LiveKeys() []string {
	return []string{"resync.", "clients.", "notifier.keepalive", "notifier.offline_after", "notifier.throttle",
		"notifier.http_hold", "notifier.task_validity", "tasks."}
}

// serviceManager is told that a reload begins and ends.
type serviceManager interface {
	Reloading() error
	Tell(state string) error
}

// Reloader applies changes of the configuration to what runs: on SIGHUP, and when a file changes where the system can
// tell. A configuration with a problem changes nothing.
type Reloader struct {
	// Constant after it was made.
	Load  func() (configs.Config, []configs.Value, error)
	Apply func(configs.Config)
	Log   *slog.Logger
	// Hangup yields a value per SIGHUP; nil: there are none.
	Hangup <-chan os.Signal
	// Live are the keys that apply puts into force, and sections that end with a dot; concerns those whose change is said
	// at all, all when it is nil.
	Live, Concerns []string
	Manager        serviceManager // nil is nobody

	// Owned by run.
	Values []configs.Value // in force
}

// Hangups takes SIGHUP from now to the end of the process. One that comes while a long start or stop goes on does not
// end it.
func Hangups() <-chan os.Signal {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup
}

// Run follows the files until ctx is done.
func (r *Reloader) Run(ctx context.Context, paths []string) {
	events, faults, stop := watchFolders(paths, r.Log)
	defer stop()
	settled := time.NewTimer(0)
	defer settled.Stop()
	<-settled.C
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.Hangup:
			r.reload()
		case event := <-events:
			if slices.ContainsFunc(paths, func(p string) bool { return samePath(p, event.Name) }) {
				settled.Reset(settleDelay)
			}
		case err := <-faults:
			r.Log.Warn("watching the configuration file failed; send SIGHUP after a change", "err", err)
		case <-settled.C:
			r.reload()
		}
	}
}

// watchFolders hints at changes in the files' folders: an editor may replace a file, and a watch on the file would go
// with it.
func watchFolders(paths []string, log *slog.Logger) (<-chan fsnotify.Event, <-chan error, func()) {
	if len(paths) == 0 {
		return nil, nil, func() {}
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("configuration file is not watched; send SIGHUP after a change", "err", err)
		return nil, nil, func() {}
	}
	for _, path := range paths {
		if err := watcher.Add(filepath.Dir(path)); err != nil && !os.IsNotExist(err) {
			log.Warn("configuration file is not watched; send SIGHUP after a change", "file", path, "err", err)
		}
	}
	return watcher.Events, watcher.Errors, func() { _ = watcher.Close() }
}

func samePath(a, b string) bool {
	a, errA := filepath.Abs(a)
	b, errB := filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// reload reads the configuration anew and applies the keys that may change while the process runs.
func (r *Reloader) reload() {
	if r.Manager != nil {
		_ = r.Manager.Reloading() // whoever does not hear it waits for nothing
		defer func() { _ = r.Manager.Tell("READY=1") }()
	}
	cfg, values, err := r.Load()
	if err != nil {
		r.Log.Error("configuration not taken, the settings in force stay", "err", OneLine(err))
		return
	}
	live, later := r.changedKeys(values)
	if len(later) > 0 {
		r.Log.Warn("these settings take effect at the next start", "keys", strings.Join(later, ", "))
	}
	if len(live) > 0 {
		r.Log.Info("settings changed", "keys", strings.Join(live, ", "))
		r.Apply(cfg)
	} else if len(later) == 0 {
		r.Log.Info("configuration read again, nothing in it has changed")
	}
}

// changedKeys names the keys whose values differ from those in force: those that take effect at once, and are in force
// from now on, and the others.
func (r *Reloader) changedKeys(next []configs.Value) (live, later []string) {
	now := make(map[string]int, len(r.Values))
	for i, v := range r.Values {
		now[v.Key] = i
	}
	for _, v := range next {
		i, known := now[v.Key]
		switch {
		case known && r.Values[i].Value == v.Value, r.Concerns != nil && !covers(r.Concerns, v.Key):
		case known && covers(r.Live, v.Key):
			live = append(live, v.Key+"="+v.Value)
			r.Values[i] = v
		default:
			later = append(later, v.Key)
		}
	}
	return live, later
}

// covers tells whether a key is among keys, or in a section that is.
func covers(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(k string) bool {
		return k == key || strings.HasSuffix(k, ".") &&
			strings.HasPrefix(key, k)
	})
}
