package identity

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"statewire/audit"
)

// backupLimit bounds a file of an identity: each is a few KiB, and the state a few hundred bytes for each client.
const backupLimit = 1 << 30

// Backup is an archive of all that tells this site from another: unpacked into an empty data directory it is the same
// authority, with the same keys, tokens and clients. The state is as of one moment. Of the audit log it has the signed head,
// which says how far the log went. Whoever has the archive is the site.
func (s *Service) Backup(ctx context.Context) (_ []byte, err error) {
	finish, err := s.note(ctx, audit.Action{Action: "identity.backup"})
	if err != nil {
		return nil, err
	}
	defer func() { finish(audit.Outcome(err)) }()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	root := filepath.Dir(s.site.dir)
	for _, folder := range []string{s.site.dir, filepath.Join(s.site.dir, "trust")} {
		if err := packFolder(w, root, folder, s.now()); err != nil {
			return nil, err
		}
	}
	if err := s.packState(w, root); err != nil {
		return nil, err
	}
	if err := packHead(w, root, s.now()); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack the identity: %w", err)
	}
	return out.Bytes(), nil
}

// packFolder packs the files of a folder, but for the state and for locks.
func packFolder(w *tar.Writer, root, folder string, now time.Time) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == stateFile || e.Name() == "lock" {
			continue
		}
		if err := packFile(w, root, filepath.Join(folder, e.Name()), now); err != nil {
			return err
		}
	}
	return nil
}

// packHead packs the signed head of the audit log, under a name of its own: the log's lines are not in the archive.
func packHead(w *tar.Writer, root string, now time.Time) error {
	data, err := os.ReadFile(filepath.Join(root, "audit", "head"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return pack(w, root, filepath.Join(root, "audit.head"), 0o600, int64(len(data)), now, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func packFile(w *tar.Writer, root, path string, now time.Time) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(file, backupLimit))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return pack(w, root, path, info.Mode().Perm(), int64(len(data)), now, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// packState packs the state as of one moment, while others change it.
func (s *Service) packState(w *tar.Writer, root string) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		return pack(w, root, filepath.Join(s.site.dir, stateFile), 0o600, tx.Size(), s.now(), func(w io.Writer) error {
			_, err := tx.WriteTo(w)
			return err
		})
	})
}

func pack(w *tar.Writer, root, path string, mode fs.FileMode, size int64, now time.Time,
	write func(io.Writer) error) error {
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(name), Mode: int64(mode), Size: size,
		ModTime: now.UTC().Truncate(time.Second)}
	if err := w.WriteHeader(header); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	if err := write(w); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return nil
}
