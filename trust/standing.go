package trust

import (
	"path/filepath"
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

// ReadFolder is the document of a site's folder, or of one that an administrator keeps.
func ReadFolder(dir string) (*Document, error) { return readDocument(filepath.Clean(dir)) }
