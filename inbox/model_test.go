package inbox

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"slices"
	"statewire/inbox/disk"
	"sync"
	"syscall"
	"time"
)

// model is a file system in memory that knows what a power cut may leave of it. It assumes no more than every
// journaling file

// system keeps: a rename happens whole or not at all; a sync of a folder makes what happened to its names durable; a
// sync of a

// file its bytes. Of everything else any part may be lost, in any combination.

type model struct {
	mu      sync.Mutex
	durable [disk.Folders]map[string]*inode
	now     [disk.Folders]map[string]*inode
	ops     []nameOp // not durable yet
	inodes  uint64
	steps   int
	// before is called before every call that changes something, without mu; an error is returned instead of doing it.
	before func(call string, at disk.Folder, name string) error
	after  func(call string, at disk.Folder, name string) error // the same, once it is done
}

type inode struct {
	number uint64
	kind   string
	data   []byte
	synced []byte
	dirty  bool
	lost   bool // a sync failed: what was dirty then will never be written, and nobody is told again
	mtime  time.Time
	ctime  time.Time
}

// nameOp is one change of names: a name goes, a name comes, or both at once.

type nameOp struct {
	goes, comes place
	file        *inode
}

type place struct {
	at   disk.Folder
	name string
}

func (p place) inTemp() bool { return p.name == "" || p.at == disk.TempFolder }

func newModel() *model {
	m := &model{}
	for at := range m.now {
		m.now[at], m.durable[at] = map[string]*inode{}, map[string]*inode{}
	}
	return m
}

// drop puts a durable file there, as somebody else might: it came an hour ago, by cp -p, and is a year old.

func (m *model) drop(at disk.Folder, name string, data string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inodes++
	since := time.Now().Add(-time.Hour)
	f := &inode{number: m.inodes, kind: disk.Regular, data: []byte(data), synced: []byte(data),
		mtime: since.AddDate(-1, 0, 0), ctime: since}
	m.now[at][name], m.durable[at][name] = f, f
}

// rewrite writes a file as somebody who has it open does: through its old name, wherever it is now.
func (m *model) rewrite(f *inode, data string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f.data, f.synced, f.mtime, f.ctime = []byte(data), []byte(data), time.Now(), time.Now()
}

// read returns a file's bytes, ok false when there is none.

func (m *model) read(at disk.Folder, name string) (data []byte, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.now[at][name]
	if f == nil {
		return nil, false
	}
	return slices.Clone(f.data), true
}

func (m *model) list(at disk.Folder) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.now[at]))
}

func (m *model) do(call string, at disk.Folder, name string, change func() error) error {
	if m.before != nil {
		if err := m.before(call, at, name); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.steps++
	err := change()
	m.mu.Unlock()
	if err == nil && m.after != nil {
		err = m.after(call, at, name)
	}
	return err
}

func (m *model) Create(at disk.Folder, name string) (disk.Output, error) {
	f := &inode{kind: disk.Regular, mtime: time.Now(), ctime: time.Now()}
	err := m.do("create", at, name, func() error {
		if m.now[at][name] != nil {
			return fs.ErrExist
		}
		m.inodes++
		f.number = m.inodes
		m.change(nameOp{comes: place{at, name}, file: f})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &modelFile{m: m, f: f, at: at, name: name}, nil
}

// change applies an operation to what is seen now.

func (m *model) change(op nameOp) {
	m.ops = append(m.ops, op)
	op.apply(&m.now)
}

func (op nameOp) apply(to *[disk.Folders]map[string]*inode) {
	if op.goes.name != "" && to[op.goes.at][op.goes.name] == op.file {
		delete(to[op.goes.at], op.goes.name)
	}
	if op.comes.name != "" {
		to[op.comes.at][op.comes.name] = op.file
	}
}

func (m *model) Rename(from disk.Folder, name string, to disk.Folder, newName string) error {
	return m.do("rename", to, newName, func() error {
		if m.now[to][newName] != nil {
			return fs.ErrExist
		}
		return m.move(from, name, to, newName)
	})
}

func (m *model) Replace(from disk.Folder, name string, to disk.Folder, newName string) error {
	return m.do("replace", to, newName, func() error { return m.move(from, name, to, newName) })
}

func (m *model) move(from disk.Folder, name string, to disk.Folder, newName string) error {
	f := m.now[from][name]
	if f == nil {
		return fs.ErrNotExist
	}
	f.ctime = time.Now()
	m.change(nameOp{goes: place{from, name}, comes: place{to, newName}, file: f})
	return nil
}

func (m *model) Remove(at disk.Folder, name string) error {
	return m.do("remove", at, name, func() error {
		f := m.now[at][name]
		if f == nil {
			return fs.ErrNotExist
		}
		m.change(nameOp{goes: place{at, name}, file: f})
		return nil
	})
}

func (m *model) Sync(at disk.Folder) error {
	return m.do("syncdir", at, "", func() error {
		m.ops = slices.DeleteFunc(m.ops, func(op nameOp) bool {
			mine := (op.goes.name != "" && op.goes.at == at) || (op.comes.name != "" && op.comes.at == at)
			if mine {
				op.apply(&m.durable)
			}
			return mine
		})
		return nil
	})
}

func (m *model) Open(at disk.Folder, name string) (disk.Input, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.now[at][name]
	switch {
	case f == nil:
		return nil, fs.ErrNotExist
	case f.kind != disk.Regular:
		return nil, syscall.ELOOP
	}
	return &modelReader{bytes.NewReader(f.data), f.stat()}, nil
}

func (m *model) Stat(at disk.Folder, name string) (disk.Stat, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.now[at][name]; f != nil {
		return f.stat(), nil
	}
	return disk.Stat{}, fs.ErrNotExist
}

func (f *inode) stat() disk.Stat {
	return disk.Stat{Kind: f.kind, Size: int64(len(f.data)), Inode: f.number, Mtime: f.mtime, Ctime: f.ctime}
}

func (m *model) Scan(at disk.Folder) (disk.Scan, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &modelScan{}
	for _, name := range slices.Sorted(maps.Keys(m.now[at])) {
		s.left = append(s.left, disk.Entry{Name: name, Kind: m.now[at][name].kind})
	}
	return s, nil
}

func (m *model) Check(disk.Folder) error { return nil }

func (m *model) Reopen(func()) error { return nil }

func (m *model) Stamp(disk.Folder) (time.Time, error) { return time.Now(), nil }

func (m *model) Free() (bytes, inodes uint64, err error) { return 1 << 40, 1 << 20, nil }

func (m *model) Lock() (io.Closer, error) { return io.NopCloser(nil), nil }

func (m *model) Watch() (disk.Watcher, error) { return nil, syscall.ENOSPC }

func (m *model) Close() error { return nil }

func (s *modelScan) Next() ([]disk.Entry, error) {
	if len(s.left) == 0 {
		return nil, io.EOF
	}
	n := min(3, len(s.left))
	batch := s.left[:n]
	s.left = s.left[n:]
	return batch, nil
}

func (s *modelScan) Close() error { return nil }

func (r *modelReader) Stat() (disk.Stat, error) { return r.s, nil }

func (r *modelReader) Close() error { return nil }

func (w *modelFile) Write(p []byte) (n int, err error) {
	err = w.m.do("write", w.at, w.name, func() error {
		w.f.data = append(w.f.data, p...)
		w.f.dirty = true
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *modelFile) Sync() error {
	err := w.m.do("sync", w.at, w.name, func() error {
		if !w.f.lost {
			w.f.synced = slices.Clone(w.f.data)
		}
		w.f.dirty = false
		return nil
	})
	if err != nil {
		w.f.lost = true
	}
	return err
}

func (w *modelFile) Close() error { return nil }

// crashes calls check with every state that a power cut now may leave.

// cut is one of those states; draw chooses among n.

// copy is the state that a process sees which comes after this one.

// undecided is what a power cut may keep or lose.

// unsynced lists the files that a name may lead to and whose bytes are not durable.

// left is the state after a power cut that kept a subset of ops and, of each dirty file, what its digit of part says:
// what was

// synced, half of the bytes, all of them.
