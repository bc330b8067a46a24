package trust

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"statewire/internal/durable"
)

// Init makes a root and a pack key in a folder that an administrator keeps, and the document that hands their public
// halves to a site. The folder must not exist, or be empty.
func Init(dir string, now time.Time) (*Document, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty; name a folder for these keys alone", dir)
	}
	d, err := newRoot(dir, now)
	if err != nil {
		return nil, err
	}
	return d, signAndWrite(dir, d)
}

// SignWith adds the signatures of the root keys in a folder that an administrator keeps, and leaves a copy there, so
// that the next document can be held against it. Other roots or another threshold than in that copy are refused unless
// they are expected: who holds the roots holds the site.
func (d *Document) SignWith(dir string, otherRoots bool) error {
	if err := d.follows(dir, otherRoots); err != nil {
		return err
	}
	ids, err := signWith(d, dir)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return fmt.Errorf("%s holds no root key", dir)
	}
	return durable.Write(dir, documentFile, tempPrefix, append(d.Envelope(), '\n'), 0o600)
}

// follows holds a document against the last one that was signed with the folder's keys.
func (d *Document) follows(dir string, otherRoots bool) error {
	text, err := os.ReadFile(filepath.Join(dir, documentFile))
	if errors.Is(err, fs.ErrNotExist) && otherRoots {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what was signed before: %w", err)
	}
	before, err := decode(text)
	if err != nil {
		return fmt.Errorf("%s in %s: %w", documentFile, dir, err)
	}
	if bytes.Equal(d.payload, before.payload) {
		return nil
	}
	same := slices.Equal(d.RootIDs(), before.RootIDs()) && d.Threshold == before.Threshold
	switch {
	case !same && !otherRoots:
		return fmt.Errorf("version %d wants %d of the roots %s, and version %d, which was signed here before, %d of %s; "+
			"if that "+
			"is meant, say so with --other-roots", d.Version, d.Threshold, strings.Join(d.RootIDs(), " "), before.Version,
			before.Threshold, strings.Join(before.RootIDs(), " "))
	case d.Version < before.Version && same:
		return fmt.Errorf("version %d is older than version %d, which was signed here before", d.Version, before.Version)
	case d.Version == before.Version && same:
		return fmt.Errorf("another version %d was signed here before", d.Version)
	}
	return nil
}

// CopyOffline copies the root and pack keys of a site to a folder that the administrator takes away, with a copy of the
// document, and returns the names of the keys. Each copy is on disk and was read back; nothing is replaced in the
// folder. Forget removes the keys from the server then. It leaves no file of its own in the site's folder.
func CopyOffline(site, to string) ([]string, error) {
	held, err := lock(filepath.Join(site, lockFile))
	if err != nil {
		return nil, err
	}
	defer held.Close()
	paths, err := toTake(site)
	if err != nil {
		return nil, err
	}
	if err := elsewhere(site, to); err != nil {
		return nil, err
	}
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	for _, name := range append(slices.Clone(names), documentFile) {
		if err := copyFile(filepath.Join(site, name), filepath.Join(to, name)); err != nil {
			return nil, err
		}
	}
	return names, errors.Join(durable.SyncFolder(to), durable.SyncFolder(filepath.Dir(filepath.Clean(to))))
}

// Forget removes root and pack keys from the server. Whoever calls it has their copies.
func (k *Keys) Forget(names []string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	held, err := lock(k.path(lockFile))
	if err != nil {
		return err
	}
	defer held.Close()
	for _, name := range names {
		kind, _, _ := strings.Cut(name, "-")
		if name != filepath.Base(name) || !strings.HasSuffix(name, keySuffix) || kind != rootKind && kind != packKind {
			return fmt.Errorf("%.80q is the name of no root or pack key", name)
		}
	}
	for _, name := range names {
		if err := os.Remove(k.path(name)); err != nil {
			return err
		}
	}
	return durable.SyncFolder(k.dir)
}

// toTake are the paths of the root and pack keys of a site. Each was read: what is no key is no reason to believe that
// the site has none any more.
func toTake(site string) (paths []string, err error) {
	for _, kind := range []string{rootKind, packKind} {
		more, err := keyFiles(site, kind)
		if err != nil {
			return nil, err
		}
		paths = append(paths, more...)
	}
	for _, path := range paths {
		if _, err := readKey(path); err != nil {
			return nil, err
		}
	}
	if len(paths) == 0 {
		return nil, errors.New("no root or pack key is on this server; they were taken away before")
	}
	return paths, nil
}

// elsewhere makes the folder that the keys go to, and refuses the one they are in.
func elsewhere(site, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	here, err := os.Stat(site)
	there, err2 := os.Stat(to)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if os.SameFile(here, there) {
		return fmt.Errorf("%s is the folder that the keys are in; name another one", to)
	}
	return nil
}

// copyFile copies a file to a name that is free, syncs it and reads it back. A whole copy that is there already, of a
// run that was stopped, will do.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if info, err := os.Lstat(to); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("%s is there already and no file; name another folder", to)
		}
		f, err = os.Open(to)
	} else if err == nil {
		_, err = f.Write(data)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	back, err := os.ReadFile(to)
	if err == nil && !bytes.Equal(back, data) {
		err = fmt.Errorf("%s is another file than %s; it is left as it is: name another folder", to, from)
	}
	return err
}
