package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"statewire/internal/durable"
)

// Names of the files in a folder.
const (
	keyFile         = "key.pem"
	certificateFile = "cert.pem"
	caFile          = "ca.pem"
	trustFile       = "trust.json"
	stateFile       = "state.json" // where, when and with what serial it enrolled, and how it stands
	pendingFile     = "pending.json"
	nextFile        = "next.json" // all of it, while the other files are written
	tempPrefix      = ".new-"
)

const maxFileBytes = 1 << 20

// Folder keeps a machine's credentials in files.
type Folder struct {
	dir    string
	change func() error // asked before each change of the disk; tests end a process there
}

// OpenFolder returns the store in dir, which is made when something is saved.
func OpenFolder(dir string) *Folder { return &Folder{dir, func() error { return nil }} }

// state is what the other files do not say.
type state struct {
	Relay      string    `json:"relay,omitempty"`
	Enrolled   time.Time `json:"enrolled,omitzero"`
	NextSerial uint64    `json:"next_serial,omitempty"`
	Ended      string    `json:"ended,omitempty"`
	Former     []byte    `json:"former,omitempty"`
}

// Load implements Store. It first ends a Save that was interrupted.
func (f *Folder) Load() (Kept, error) {
	for _, secret := range []string{keyFile, pendingFile, nextFile} {
		if err := f.private(secret); err != nil {
			return Kept{}, err
		}
	}
	if text, err := f.read(nextFile); err != nil {
		return Kept{}, err
	} else if text != nil {
		var kept Kept
		if err := json.Unmarshal(text, &kept); err != nil {
			return Kept{}, fmt.Errorf("%s is damaged: restore the whole folder from one backup, or move it away and enrol anew",
				f.path(nextFile))
		}
		if err := f.spread(kept); err != nil {
			return Kept{}, err
		}
	}
	return f.gather()
}

// Save implements Store. The record of the whole is what counts: once it has its name, the files follow, now or at the
// next Load.
func (f *Folder) Save(kept Kept) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if err := f.write(nextFile, text); err != nil {
		return err
	}
	return f.spread(kept)
}

// spread writes every file that differs, and then removes the record of the whole.
func (f *Folder) spread(kept Kept) error {
	texts, err := files(kept)
	if err != nil {
		return err
	}
	for name, text := range texts {
		switch has, err := f.read(name); {
		case err != nil:
			return err
		case bytes.Equal(has, text):
		case text == nil:
			if err := f.remove(name); err != nil {
				return err
			}
		default:
			if err := f.write(name, text); err != nil {
				return err
			}
		}
	}
	if err := durable.SyncFolder(f.dir); err != nil {
		return err
	}
	if err := f.remove(nextFile); err != nil {
		return err
	}
	return durable.SyncFolder(f.dir)
}

func (f *Folder) remove(name string) error {
	if err := f.change(); err != nil {
		return err
	}
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// files is the text of each file; nil = there is none.
func files(kept Kept) (map[string][]byte, error) {
	texts := map[string][]byte{keyFile: kept.Key, certificateFile: kept.Certificate, caFile: kept.CA,
		trustFile: kept.Trust,
		stateFile: nil, pendingFile: nil}
	if kept.Certificate != nil {
		text, err := json.Marshal(state{Relay: kept.Relay, Enrolled: kept.Enrolled, NextSerial: kept.NextSerial,
			Ended: kept.Ended, Former: kept.Former})
		if err != nil {
			return nil, err
		}
		texts[stateFile] = text
	}
	if kept.Pending != nil {
		text, err := json.Marshal(kept.Pending)
		if err != nil {
			return nil, err
		}
		texts[pendingFile] = text
	}
	return texts, nil
}

// gather reads the files. A certificate without its key, or the other way round, is a folder of which a part was lost.
func (f *Folder) gather() (kept Kept, err error) {
	for name, into := range map[string]*[]byte{keyFile: &kept.Key, certificateFile: &kept.Certificate, caFile: &kept.CA,
		trustFile: &kept.Trust} {
		if *into, err = f.read(name); err != nil {
			return kept, err
		}
	}
	if kept.Certificate != nil || kept.Key != nil {
		for _, part := range []struct {
			name string
			text []byte
		}{{keyFile, kept.Key}, {certificateFile, kept.Certificate}, {caFile, kept.CA}, {trustFile, kept.Trust}} {
			if part.text == nil {
				return kept, fmt.Errorf("%s is missing: restore the whole folder from one backup, or move it away and enrol anew",
					f.path(part.name))
			}
		}
	}
	var s state
	if err := f.readJSON(stateFile, &s); err != nil {
		return kept, err
	}
	kept.Relay, kept.Enrolled, kept.NextSerial, kept.Ended, kept.Former = s.Relay, s.Enrolled, s.NextSerial, s.Ended,
		s.Former
	var pending Pending
	if err := f.readJSON(pendingFile, &pending); err != nil {
		return kept, err
	}
	if pending.Key != nil {
		kept.Pending = &pending
	}
	return kept, nil
}

func (f *Folder) readJSON(name string, into any) error {
	text, err := f.read(name)
	if err != nil || text == nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s is damaged: restore the whole folder from one backup, or move it away and enrol anew",
			f.path(name))
	}
	return nil
}

func (f *Folder) path(name string) string { return filepath.Join(f.dir, name) }

// read is a file's text; nil when there is none.
func (f *Folder) read(name string) ([]byte, error) {
	info, err := os.Stat(f.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxFileBytes:
		return nil, fmt.Errorf("%s is not a file that the agent wrote", f.path(name))
	}
	text, err := os.ReadFile(f.path(name))
	if err == nil && len(text) == 0 {
		err = fmt.Errorf("%s is empty: restore the whole folder from one backup, or move it away and enrol anew",
			f.path(name))
	}
	return text, err
}

// private refuses a file with a key in it that other users of the machine can open.
func (f *Folder) private(name string) error {
	info, err := os.Stat(f.path(name))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%s is open to other users (mode %04o); run: chmod 600 %s", f.path(name), mode, f.path(name))
	}
	return nil
}

// write puts a file into the folder whole and on disk, or not at all.
func (f *Folder) write(name string, text []byte) (err error) {
	if err := f.change(); err != nil {
		return err
	}
	file, err := os.CreateTemp(f.dir, tempPrefix) // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err = f.change(); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), f.path(name)); err != nil {
		return err
	}
	return durable.SyncFolder(f.dir)
}
