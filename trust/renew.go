package trust

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"statewire/internal/durable"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

// create makes a complete folder beside dir and moves it to its place in one step; a folder that exists stays as it is.
func (k *Keys) create() error {
	parent := filepath.Dir(k.dir)
	sweep(parent, k.now())
	sweep(k.dir, k.now())
	if exists(k.dir) {
		return nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, tempPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // after the move there is nothing left to remove
	d, err := k.first(tmp)
	if err != nil {
		return err
	}
	// a folder that another process moved there meanwhile holds keys, and so is never replaced
	if err := os.Rename(tmp, k.dir); err != nil {
		if exists(k.dir) {
			return nil
		}
		return err
	}
	k.log.Info("trust keys made", "folder", k.dir, "root", d.Roots[0].ID)
	return durable.SyncFolder(parent)
}

// first fills a folder with the keys and the document of a new site.
func (k *Keys) first(dir string) (*Document, error) {
	d, err := newRoot(dir, k.now())
	if err != nil {
		return nil, err
	}
	task, err := k.newTaskKey(dir)
	if err != nil {
		return nil, err
	}
	d.TaskKeys = []TaskKey{task}
	// the lock is there from the beginning, so that it is never another user's
	return d, errors.Join(durable.Write(dir, lockFile, tempPrefix, nil, 0o600), signAndWrite(dir, d))
}

// sweep removes what a start that was killed left behind; an hour is longer than any start that still runs.
func sweep(parent string, now time.Time) {
	entries, _ := os.ReadDir(parent) // a folder that is not there holds nothing
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), tempPrefix) {
			continue
		}
		if info, err := entry.Info(); err == nil && now.Sub(info.ModTime()) > time.Hour {
			os.RemoveAll(filepath.Join(parent, entry.Name()))
		}
	}
}

// newRoot makes a root and a pack key in dir, and the unsigned first document of them.
func newRoot(dir string, now time.Time) (*Document, error) {
	root, err := newKey(dir, rootKind)
	if err != nil {
		return nil, err
	}
	pack, err := newKey(dir, packKind)
	if err != nil {
		return nil, err
	}
	return &Document{Version: 1, Expires: end(now, documentLife), Roots: []Key{root}, Threshold: 1,
		PackKeys: []PackKey{{ID: pack.ID, Key: pack.Key, NotAfter: end(now, packKeyLife), Prefixes: []string{""}}},
		TaskKeys: []TaskKey{}}, nil
}

func newKey(dir, kind string) (Key, error) {
	s, err := newSigner()
	if err != nil {
		return Key{}, err
	}
	return s.Key, writeKey(dir, kind, s)
}

func (k *Keys) newTaskKey(dir string) (TaskKey, error) {
	key, err := newKey(dir, taskKind)
	return TaskKey{ID: key.ID, Key: key.Key, NotAfter: end(k.now(), TaskKeyLife), Site: k.site}, err
}

// end is a time in whole seconds, as documents are read by people, too.
func end(now time.Time, life time.Duration) time.Time {
	return now.Add(life).UTC().Truncate(time.Second)
}

// due says whether a third or less of the life is left: of the document, or of the task key that lasts longest.
func (k *Keys) due(d *Document) bool {
	now := k.now()
	return d.Expires.Sub(now) <= documentLife/3 || d.taskEnd(k.has).Sub(now) <= TaskKeyLife/3
}

// taskEnd is when the last of the task keys ends that are on the server; the zero time when none is.
func (d *Document) taskEnd(has func(file string) bool) (last time.Time) {
	for _, key := range d.TaskKeys {
		if key.NotAfter.After(last) && has(keyFile(taskKind, key.ID)) {
			last = key.NotAfter
		}
	}
	return last
}

// signs says whether enough of the document's roots are on the server to sign its successor.
func (k *Keys) signs(d *Document) bool {
	here := 0
	for _, root := range d.Roots {
		if k.has(keyFile(rootKind, root.ID)) {
			here++
		}
	}
	return here >= d.Threshold
}

// renew signs the next version with a new task key, unless another process just did. The caller holds mu.
func (k *Keys) renew() error {
	held, err := lock(k.path(lockFile))
	if err != nil {
		return err
	}
	defer held.Close()
	if err := k.read(); err != nil || !k.due(k.document) {
		return err
	}
	d, err := k.successor(k.document, Change{})
	if err != nil {
		return err
	}
	if err := signAndWrite(k.dir, d); err != nil {
		return err
	}
	if err := k.read(); err != nil {
		return err
	}
	k.removeOldTaskKeys()
	k.log.Info("trust document renewed", "version", d.Version, "expires", d.Expires)
	return nil
}

// successor is the next version, not signed yet: with the change, a new life, and a new task key when the last one has
// lived for a third of its life. Keys that ended are not in it.
func (k *Keys) successor(have *Document, c Change) (*Document, error) {
	now := k.now()
	d := &Document{Version: have.Version + 1, Expires: end(now, documentLife), Roots: slices.Clone(have.Roots),
		Threshold: have.Threshold, PackKeys: slices.Clone(have.PackKeys), TaskKeys: slices.Clone(have.TaskKeys)}
	d.PackKeys = slices.DeleteFunc(d.PackKeys, func(p PackKey) bool { return !now.Before(p.NotAfter) })
	d.TaskKeys = slices.DeleteFunc(d.TaskKeys, func(t TaskKey) bool { return !now.Before(t.NotAfter) })
	if err := c.apply(d); err != nil {
		return nil, err
	}
	if d.taskEnd(k.has).Sub(now) > TaskKeyLife*2/3 {
		return d, nil
	}
	task, err := k.newTaskKey(k.dir)
	if k.site == "" && len(have.TaskKeys) > 0 {
		task.Site = have.TaskKeys[len(have.TaskKeys)-1].Site
	}
	d.TaskKeys = append(d.TaskKeys, task)
	return d, err
}

// removeOldTaskKeys removes the task keys that the document does not name. A file that stays is tried again next time.
func (k *Keys) removeOldTaskKeys() {
	paths, _ := keyFiles(k.dir, taskKind)
	for _, path := range paths {
		named := slices.ContainsFunc(k.document.TaskKeys,
			func(t TaskKey) bool { return keyFile(taskKind, t.ID) == filepath.Base(path) })
		if !named {
			os.Remove(path)
		}
	}
}

// signAndWrite signs a document with the roots in dir and keeps it there.
func signAndWrite(dir string, d *Document) error {
	if err := d.seal(); err != nil {
		return err
	}
	if _, err := signWith(d, dir); err != nil {
		return err
	}
	return writeDocument(dir, d)
}

// seal makes the payload of the fields, with no signature.
func (d *Document) seal() (err error) {
	if d.payload, err = json.Marshal(d); err != nil {
		return err
	}
	d.envelope = dsse.Envelope{PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString(d.payload),
		Signatures: []dsse.Signature{}}
	_, err = decode(d.Envelope()) // nothing is signed that nobody takes
	return err
}

// signWith signs with every root key in dir, those of earlier documents, too: agents that missed the change of roots
// take the document by their signature. It returns the ids.
func signWith(d *Document, dir string) ([]string, error) {
	paths, err := keyFiles(dir, rootKind)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, path := range paths {
		root, err := readKey(path)
		if err != nil {
			return ids, err
		}
		if err := d.sign(root); err != nil {
			return ids, err
		}
		ids = append(ids, root.ID)
	}
	return ids, nil
}

// writeDocument keeps a document that is signed by its roots.
func writeDocument(dir string, d *Document) error {
	if err := d.signedBy(d); err != nil {
		return err
	}
	return durable.Write(dir, documentFile, tempPrefix, append(d.Envelope(), '\n'), 0o600)
}
