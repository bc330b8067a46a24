package inbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"statewire/inbox/disk"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// deaf is the system's watcher whose events nobody hears until so many came that the kernel gave up, and which then
// passes on nothing but its errors.
type deaf struct {
	disk.Watcher
	ready chan struct{}
	heard chan error
	stop  chan struct{}
	done  chan struct{}
}

func newDeaf(w disk.Watcher) *deaf {
	d := &deaf{Watcher: w, ready: make(chan struct{}), heard: make(chan error), stop: make(chan struct{}),
		done: make(chan struct{})}
	go d.run()
	return d
}

func (d *deaf) run() {
	defer close(d.done)
	<-d.ready
	for {
		select {
		case <-d.Watcher.Events():
		case err := <-d.Watcher.Errors():
			select {
			case d.heard <- err:
			case <-d.stop:
				return
			}
		case <-d.stop:
			return
		}
	}
}

func (d *deaf) Events() <-chan fsnotify.Event { return nil }
func (d *deaf) Errors() <-chan error          { return d.heard }

func (d *deaf) Close() error {
	close(d.stop)
	<-d.done
	return d.Watcher.Close()
}

func TestARealOverflowWakesAndEveryFileIsClaimed(t *testing.T) {
	limit := queuedEvents(t)
	d := openAt(t, filepath.Join(memoryDir(t), "box"))
	l := loader(t, d, 1000, 100)
	defer l.Close()
	var w *deaf
	watch := l.watch
	l.watch = func() (disk.Watcher, error) {
		inner, err := watch()
		w = newDeaf(inner)
		return w, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	wake := l.Wake(ctx)
	files := limit + 5000 // one event each, and what the watcher reads ahead
	lane := filepath.Join(d.Root(), "incoming")
	for i := range files {
		check(t, os.WriteFile(filepath.Join(lane, fmt.Sprintf("%d.SMX", i)), nil, 0o600))
	}
	select {
	case <-wake:
		t.Fatal("woke before the watcher could say anything")
	default:
	}
	close(w.ready)
	select {
	case <-wake: // the poll is 900 s away: this is the overflow
	case <-time.After(20 * time.Second):
		t.Fatal("hints were lost and nothing woke")
	}
	claimed := 0
	for c := claim(t, l); c != nil; c = claim(t, l) {
		claimed += len(c.Files)
	}
	if claimed != files {
		t.Errorf("claimed %d of %d", claimed, files)
	}
}

func TestTheSystemTellsOfArrivals(t *testing.T) {
	d := open(t)
	l := loader(t, d, 10, 1)
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	wake := l.Wake(ctx)
	for lane := range lanes {
		name := put(t, d, lane, "x")
		for c := claim(t, l); c == nil || c.Files[0].Name != name; c = claim(t, l) {
			<-wake
		}
		dropAt(t, d, lane, fmt.Sprint(lane, ".SMX"), "x")
		<-wake
	}
}

func queuedEvents(t *testing.T) int {
	data, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	check(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	check(t, err)
	return n
}
