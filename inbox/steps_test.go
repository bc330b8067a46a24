package inbox

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
)

// steps is a disk that calls step before everything it changes, and does what step returned no error for.
type steps struct {
	disk
	step func(call string) error
}

func (s *steps) create(at folder, name string) (output, error) {
	if err := s.step("create"); err != nil {
		return nil, err
	}
	out, err := s.disk.create(at, name)
	return &stepsFile{out, s.step}, err
}

func (s *steps) rename(from folder, name string, to folder, newName string) error {
	if err := s.step("rename"); err != nil {
		return err
	}
	return s.disk.rename(from, name, to, newName)
}

func (s *steps) replace(from folder, name string, to folder, newName string) error {
	if err := s.step("replace"); err != nil {
		return err
	}
	return s.disk.replace(from, name, to, newName)
}

func (s *steps) remove(at folder, name string) error {
	if err := s.step("remove"); err != nil {
		return err
	}
	return s.disk.remove(at, name)
}

func (s *steps) sync(at folder) error {
	if err := s.step("syncdir"); err != nil {
		return err
	}
	return s.disk.sync(at)
}

type stepsFile struct {
	output
	step func(call string) error
}

// Write writes the first half, then has a step, then writes the rest.
func (f *stepsFile) Write(p []byte) (int, error) {
	n, err := f.output.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	if err := f.step("write"); err != nil {
		return n, err
	}
	rest, err := f.output.Write(p[len(p)/2:])
	return n + rest, err
}

func (f *stepsFile) sync() error {
	if err := f.step("sync"); err != nil {
		return err
	}
	return f.output.sync()
}

func (f *stepsFile) close() error {
	if err := f.step("close"); err != nil {
		return err
	}
	return f.output.close()
}

// onDisk is the view of a real inbox.
type onDisk struct{ root string }

func (v onDisk) list(at folder) (names []string) {
	entries, _ := os.ReadDir(filepath.Join(v.root, at.String()))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

func (v onDisk) read(at folder, name string) (data []byte, ok bool) {
	data, err := os.ReadFile(filepath.Join(v.root, at.String(), name))
	return data, err == nil
}

func (v onDisk) start() (*Dir, error) {
	return quick().Open(v.root, slog.New(slog.DiscardHandler))
}
