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

// livePrefix begins the keys that take effect while the site runs.
const livePrefix = "resync."

// reloader applies changes of the configuration file to a running site: on SIGHUP, and when the file changes where the
// system can tell. A file with a problem changes nothing.
type reloader struct {
	// Constant after it was made.
	load  func() (configs.Config, []configs.Value, error)
	apply func(configs.Config)
	log   *slog.Logger

	// Owned by run.
	values []configs.Value
}

// run follows the files until ctx is done.
func (r *reloader) run(ctx context.Context, paths []string) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	events, faults, stop := watchFolders(paths, r.log)
	defer stop()
	settled := time.NewTimer(0)
	defer settled.Stop()
	<-settled.C
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
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

// reload reads the configuration anew and applies the keys that may change while the site runs.
func (r *reloader) reload() {
	cfg, values, err := r.load()
	if err != nil {
		r.log.Error("configuration not taken, the settings in force stay", "err", oneLine(err))
		return
	}
	live, later := changedKeys(r.values, values)
	if len(later) > 0 {
		r.log.Warn("these settings take effect at the next start", "keys", strings.Join(later, ", "))
	}
	if len(live) > 0 {
		r.log.Info("settings changed", "keys", strings.Join(live, ", "))
		r.apply(cfg)
	}
	r.values = values
}

// changedKeys names the keys whose values differ: those that take effect at once, and the others.
func changedKeys(before, after []configs.Value) (live, later []string) {
	old := make(map[string]string, len(before))
	for _, v := range before {
		old[v.Key] = v.Value
	}
	for _, v := range after {
		switch {
		case old[v.Key] == v.Value:
		case strings.HasPrefix(v.Key, livePrefix):
			live = append(live, v.Key+"="+v.Value)
		default:
			later = append(later, v.Key)
		}
	}
	return live, later
}
