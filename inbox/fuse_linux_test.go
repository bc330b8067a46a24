package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// liar is a file system that, asked to, fails one sync of a file, drops the file's bytes and says of every later sync
// that all is well: what kernels have done.
type liar struct {
	*fs.LoopbackNode
	state *lies
}

type lies struct {
	mu    sync.Mutex
	armed bool
	syncs map[*liar]int
	lost  map[*liar]bool
}

func (n *liar) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &liar{ops.(*fs.LoopbackNode), n.state}
}

// Fsync is asked for the syncs of files; those of folders go through.
func (n *liar) Fsync(ctx context.Context, f fs.FileHandle, flags uint32) syscall.Errno {
	s := n.state
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncs[n]++
	switch {
	case s.lost[n]:
		return 0
	case s.armed:
		s.armed, s.lost[n] = false, true
		path := filepath.Join(n.RootData.Path, n.Path(nil))
		if err := os.Truncate(path, 0); err != nil {
			return fs.ToErrno(err)
		}
		return syscall.EIO
	}
	return f.(fs.FileFsyncer).Fsync(ctx, flags)
}

// mountLiar returns the file system's path and that of what is really there.
func mountLiar(t *testing.T) (path, truth string, s *lies) {
	t.Helper()
	rootOnly(t)
	truth, path = t.TempDir(), t.TempDir()
	inner, err := fs.NewLoopbackRoot(truth)
	check(t, err)
	s = &lies{syncs: map[*liar]int{}, lost: map[*liar]bool{}}
	root := &liar{inner.(*fs.LoopbackNode), s}
	inner.(*fs.LoopbackNode).RootData.RootNode = root
	server, err := fs.Mount(path, root, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true}})
	if err != nil {
		unable(t, fmt.Errorf("mount fuse: %w", err))
	}
	t.Cleanup(func() { check(t, server.Unmount()) })
	return path, truth, s
}

func TestAFileWhoseSyncFailedIsAbandoned(t *testing.T) {
	path, truth, s := mountLiar(t)
	config := quick()
	config.ProbeInterval = time.Hour
	d, err := config.Open(filepath.Join(path, "box"), slog.New(slog.DiscardHandler))
	check(t, err)
	defer d.Close()
	g := newLedger()
	for i := range 3 {
		text := fmt.Sprint("before ", i)
		g.offer(text)
		put(t, d, Normal, text)
		g.accept(text)
	}
	s.mu.Lock()
	s.armed = true
	s.mu.Unlock()
	if _, err := d.Put(Normal, []byte("lost"), time.Now()); !errors.Is(err, ErrFault) {
		t.Fatalf("Put whose sync failed = %v", err)
	}
	for range 2 {
		if _, err := d.Put(Normal, []byte("refused"), time.Now()); err == nil {
			d.health.mu.Lock()
			probed := d.health.probed
			d.health.mu.Unlock()
			if probed.IsZero() {
				t.Fatal("accepted a file without a probe")
			}
			g.accept("refused") // the first probe after a fault may come at once
		}
	}
	check(t, d.Ready())
	g.offer("after")
	put(t, d, Normal, "after")
	g.accept("after")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.syncs {
		if n > 1 {
			t.Errorf("a file was synced %d times", n)
		}
	}
	if len(s.lost) != 1 {
		t.Errorf("%d syncs failed", len(s.lost))
	}
	check(t, g.check(onDisk{filepath.Join(truth, "box")}))
}
