package inbox

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"statewire/inbox/disk"
)

// steps is a disk that calls step before everything it changes, and does what step returned no error for.
type steps struct {
	disk.Disk
	step func(call string) error
}

func (s *steps) Create(at disk.Folder, name string) (disk.Output, error) {
	if err := s.step("create"); err != nil {
		return nil, err
	}
	out, err := s.Disk.Create(at, name)
	return &stepsFile{out, s.step}, err
}

func (s *steps) Rename(from disk.Folder, name string, to disk.Folder, newName string) error {
	if err := s.step("rename"); err != nil {
		return err
	}
	return s.Disk.Rename(from, name, to, newName)
}

func (s *steps) Replace(from disk.Folder, name string, to disk.Folder, newName string) error {
	if err := s.step("replace"); err != nil {
		return err
	}
	return s.Disk.Replace(from, name, to, newName)
}

func (s *steps) Remove(at disk.Folder, name string) error {
	if err := s.step("remove"); err != nil {
		return err
	}
	return s.Disk.Remove(at, name)
}

func (s *steps) Sync(at disk.Folder) error {
	if err := s.step("syncdir"); err != nil {
		return err
	}
	return s.Disk.Sync(at)
}

type stepsFile struct {
	disk.Output
	step func(call string) error
}

// Write writes the first half, then has a step, then writes the rest.
func (f *stepsFile) Write(p []byte) (int, error) {
	n, err := f.Output.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	if err := f.step("write"); err != nil {
		return n, err
	}
	rest, err := f.Output.Write(p[len(p)/2:])
	return n + rest, err
}

func (f *stepsFile) Sync() error {
	if err := f.step("sync"); err != nil {
		return err
	}
	return f.Output.Sync()
}

func (f *stepsFile) Close() error {
	if err := f.step("close"); err != nil {
		return err
	}
	return f.Output.Close()
}

// onDisk is the view of a real inbox.
type onDisk struct{ root string }

func (v onDisk) list(at disk.Folder) (names []string) {
	entries, _ := os.ReadDir(filepath.Join(v.root, at.String()))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

func (v onDisk) read(at disk.Folder, name string) (data []byte, ok bool) {
	data, err := os.ReadFile(filepath.Join(v.root, at.String(), name))
	return data, err == nil
}

func (v onDisk) start() (*Dir, error) {
	return quick().Open(v.root, slog.New(slog.DiscardHandler))
}
