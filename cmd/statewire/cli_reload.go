package main

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

// liveKeys are the keys, or the sections, that take effect while a site runs.
func liveKeys() []string { return []string{"resync."} }

// serviceManager is told that a reload begins and ends.
type serviceManager interface {
	reloading() error
	tell(state string) error
}

// reloader applies changes of the configuration to what runs: on SIGHUP, and when a file changes where the system can tell. A
// configuration with a problem changes nothing.
type reloader struct {
	// Constant after it was made.
	load  func() (configs.Config, []configs.Value, error)
	apply func(configs.Config)
	log   *slog.Logger
	// hangup yields a value per SIGHUP; nil: there are none.
	hangup <-chan os.Signal
	// live are the keys that apply puts into force, and sections that end with a dot; concerns those whose change is said at all,
	// all when it is nil.
	live, concerns []string
	manager        serviceManager // nil is nobody

	// Owned by run.
	values []configs.Value // in force
}

// hangups takes SIGHUP from now to the end of the process. One that comes while a long start or stop goes on does not end it.
func hangups() <-chan os.Signal {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup
}

// run follows the files until ctx is done.
func (r *reloader) run(ctx context.Context, paths []string) {
	events, faults, stop := watchFolders(paths, r.log)
	defer stop()
	settled := time.NewTimer(0)
	defer settled.Stop()
	<-settled.C
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangup:
			r.reload()
		case event := <-events:
			if slices.ContainsFunc(paths, func(p string) bool { return samePath(p, event.Name) }) {
				settled.Reset(settleDelay)
			}
		case err := <-faults:
			r.log.Warn("watching the configuration file failed; send SIGHUP after a change", "err", err)
		case <-settled.C:
			r.reload()
		}
	}
}

// watchFolders hints at changes in the files' folders: an editor may replace a file, and a watch on the file would go with it.
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
func (r *reloader) reload() {
	if r.manager != nil {
		_ = r.manager.reloading() // whoever does not hear it waits for nothing
		defer func() { _ = r.manager.tell("READY=1") }()
	}
	cfg, values, err := r.load()
	if err != nil {
		r.log.Error("configuration not taken, the settings in force stay", "err", oneLine(err))
		return
	}
	live, later := r.changedKeys(values)
	if len(later) > 0 {
		r.log.Warn("these settings take effect at the next start", "keys", strings.Join(later, ", "))
	}
	if len(live) > 0 {
		r.log.Info("settings changed", "keys", strings.Join(live, ", "))
		r.apply(cfg)
	} else if len(later) == 0 {
		r.log.Info("configuration read again, nothing in it has changed")
	}
}

// changedKeys names the keys whose values differ from those in force: those that take effect at once, and are in force from now on,
// and the others.
func (r *reloader) changedKeys(next []configs.Value) (live, later []string) {
	now := make(map[string]int, len(r.values))
	for i, v := range r.values {
		now[v.Key] = i
	}
	for _, v := range next {
		i, known := now[v.Key]
		switch {
		case known && r.values[i].Value == v.Value, r.concerns != nil && !covers(r.concerns, v.Key):
		case known && covers(r.live, v.Key):
			live = append(live, v.Key+"="+v.Value)
			r.values[i] = v
		default:
			later = append(later, v.Key)
		}
	}
	return live, later
}

// covers tells whether a key is among keys, or in a section that is.
func covers(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return k == key || strings.HasSuffix(k, ".") && strings.HasPrefix(key, k) })
}
