package trust

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Standing is how a site stands with its trust document and keys.
type Standing struct {
	Version   uint64    `json:"version"`
	Expires   time.Time `json:"expires"`
	Roots     []string  `json:"roots"` // ids
	Threshold int       `json:"threshold"`
	// RootsHere are the root keys on the server, those of earlier documents, too; PackKeysHere the pack keys.
	RootsHere    int `json:"roots_here"`
	PackKeysHere int `json:"pack_keys_here"`
	// TaskKeyEnds is when the last of the task keys on the server ends; the zero time when there is none.
	TaskKeyEnds time.Time `json:"task_key_ends,omitzero"`
	// Signs says that the server signs the next document by itself.
	Signs bool `json:"signs"`
}

// Offline says that neither a root key nor a pack key is on the server.
func (s Standing) Offline() bool { return s.RootsHere == 0 && s.PackKeysHere == 0 }

// Ends is when an administrator must have signed the next document, at the latest: tasks end with the task key, packs
// and tasks with the document.
func (s Standing) Ends() time.Time {
	if s.TaskKeyEnds.Before(s.Expires) {
		return s.TaskKeyEnds
	}
	return s.Expires
}

// Standing is how the site stands at this moment.
func (k *Keys) Standing() (Standing, error) {
	if _, err := k.current(); err != nil {
		return Standing{}, err
	}
	return Look(k.dir)
}

// Look is Standing without a site: it changes nothing and opens no key.
func Look(dir string) (Standing, error) {
	d, err := readDocument(dir)
	if err != nil {
		return Standing{}, err
	}
	k := Keys{dir: dir}
	roots, err := keyFiles(dir, rootKind)
	if err != nil {
		return Standing{}, err
	}
	packs, err := keyFiles(dir, packKind)
	return Standing{Version: d.Version, Expires: d.Expires, Roots: d.RootIDs(), Threshold: d.Threshold,
		RootsHere: len(roots), PackKeysHere: len(packs), TaskKeyEnds: d.taskEnd(k.has), Signs: k.signs(d)}, err
}

// Line is a key of a document as people read it.
type Line struct {
	Kind     string    // root, pack or task
	ID       string    // the whole id
	NotAfter time.Time // zero for a root: its end is the document's
	For      string    // the prefixes of a pack key, the site of a task key
	File     string    // the name that its file has, wherever it is
	Signed   bool      // of a root: it signed this version
}

// Lines are the keys of the document: roots, pack keys, task keys.
func (d *Document) Lines() (lines []Line) {
	for _, root := range d.Roots {
		lines = append(lines, Line{Kind: rootKind, ID: root.ID, File: keyFile(rootKind, root.ID), Signed: d.signed(root)})
	}
	for _, p := range d.PackKeys {
		lines = append(lines, Line{Kind: packKind, ID: p.ID, NotAfter: p.NotAfter, For: strings.Join(p.Prefixes, " "),
			File: keyFile(packKind, p.ID)})
	}
	for _, t := range d.TaskKeys {
		lines = append(lines, Line{Kind: taskKind, ID: t.ID, NotAfter: t.NotAfter, For: t.Site,
			File: keyFile(taskKind, t.ID)})
	}
	return lines
}

// signed says whether a root signed the document.
func (d *Document) signed(root Key) bool {
	return d.signedBy(&Document{Roots: []Key{root}, Threshold: 1}) == nil
}

// Parse reads a document as it is, signed or not, to show or to sign it. Nothing in it may be believed.
func Parse(envelope []byte) (*Document, error) {
	d, err := decode(envelope)
	if err != nil {
		return nil, fmt.Errorf("not a trust document: %w", err)
	}
	return d, nil
}

// DocumentFile is where the document of a folder is: a site's, or one that an administrator keeps.
func DocumentFile(dir string) string { return filepath.Join(dir, documentFile) }
