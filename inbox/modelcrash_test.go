package inbox

import (
	"bytes"
	"maps"
	"slices"
	"statewire/inbox/disk"
)

type modelScan struct{ left []disk.Entry }

type modelReader struct {
	*bytes.Reader
	s disk.Stat
}

type modelFile struct {
	m    *model
	f    *inode
	at   disk.Folder
	name string
}

func (m *model) crashes(check func(left *model)) {
	ops, dirty := m.undecided()
	for kept := range uint(1) << len(ops) {
		for part := range power(3, len(dirty)) {
			check(m.left(ops, kept, dirty, part))
		}
	}
}

func (m *model) cut(draw func(n int) int) *model {
	ops, dirty := m.undecided()
	kept := uint(0)
	for i := range ops {
		kept |= uint(draw(2)) << i
	}
	part := 0
	for range dirty {
		part = 3*part + draw(3)
	}
	return m.left(ops, kept, dirty, part)
}

func (m *model) copy() *model {
	ops, dirty := m.undecided()
	return m.left(ops, ^uint(0), dirty, power(3, len(dirty))-1)
}

func (m *model) undecided() ([]nameOp, []*inode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// Temporary files are swept in any case; what happened to their names alone makes no difference.
	m.ops = slices.DeleteFunc(m.ops, func(op nameOp) bool { return op.goes.inTemp() && op.comes.inTemp() })
	return slices.Clone(m.ops), m.unsynced()
}

func (m *model) unsynced() (files []*inode) {
	add := func(f *inode) {
		if !bytes.Equal(f.data, f.synced) && !slices.Contains(files, f) {
			files = append(files, f)
		}
	}
	for at := range m.durable {
		for _, name := range slices.Sorted(maps.Keys(m.durable[at])) {
			add(m.durable[at][name])
		}
	}
	for _, op := range m.ops {
		add(op.file)
	}
	return files
}

func (m *model) left(ops []nameOp, kept uint, dirty []*inode, part int) *model {
	names := [disk.Folders]map[string]*inode{}
	for at := range names {
		names[at] = maps.Clone(m.durable[at])
	}
	for i, op := range ops {
		if kept>>i&1 == 1 {
			op.apply(&names)
		}
	}
	after := newModel()
	after.inodes = m.inodes
	copies := map[*inode]*inode{}
	for i, f := range dirty {
		data := [][]byte{f.synced, f.data[:len(f.data)/2], f.data}[part/power(3, i)%3]
		copies[f] = &inode{number: f.number, kind: f.kind, data: data, synced: data, mtime: f.mtime, ctime: f.ctime}
	}
	for at := range names {
		for name, f := range names[at] {
			if copies[f] == nil {
				copies[f] = &inode{number: f.number, kind: f.kind, data: f.synced, synced: f.synced, mtime: f.mtime, ctime: f.ctime}
			}
			after.now[at][name], after.durable[at][name] = copies[f], copies[f]
		}
	}
	clear(after.now[disk.TempFolder])
	clear(after.durable[disk.TempFolder])
	return after
}

func power(base, n int) int {
	p := 1
	for range n {
		p *= base
	}
	return p
}
