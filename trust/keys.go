package trust

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"statewire/internal/durable"
)

const (
	// documentFile holds the signed document in a site's folder, and in one that an administrator keeps.
	documentFile = "trust.json"
	lockFile     = "lock"
	// tempPrefix begins the names of what is not whole yet.
	tempPrefix = ".trust-"
)

const (
	// documentLife is how long a document allows new packs and tasks.
	documentLife = 365 * 24 * time.Hour
	// packKeyLife is long: the end of a pack key ends what it signed, and the document's own end comes first anyway.
	packKeyLife = 10 * 365 * 24 * time.Hour
	// TaskKeyLife is short because the task key is on the server. It is renewed at two thirds of its life.
	TaskKeyLife = 90 * 24 * time.Hour
	// taskKeyOverlap is what the older of two task keys has left when the younger takes over: until then agents that
	// are away learn of it.
	taskKeyOverlap = 7 * 24 * time.Hour
)

// Options are what OpenKeys may be told; the zero value will do.
type Options struct {
	Site  string           // the site that task keys are for; empty is that of the task keys before
	Log   *slog.Logger     // nil discards
	Clock func() time.Time // nil is time.Now
}

// Keys are the trust document of a site and the keys that are on its server. What other processes change in the folder
// is seen at the next call. Root and pack keys are read only when something is signed.
type Keys struct {
	// Constant after OpenKeys.
	dir  string
	site string
	log  *slog.Logger
	now  func() time.Time

	// Guarded by mu.
	mu       sync.Mutex
	document *Document
	stamp    fs.FileInfo // of the document's file
	said     string      // the last problem that was logged
}

// OpenKeys reads the site's trust document and checks that its keys are closed to others. Where dir is missing it makes
// root, pack key, task key and document first. Two processes may open the same folder at once; both end with the same
// keys.
func OpenKeys(dir string, opt Options) (*Keys, error) {
	k := &Keys{dir: dir, site: opt.Site, log: opt.Log, now: opt.Clock}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	if k.now == nil {
		k.now = time.Now
	}
	if err := k.create(); err != nil {
		return nil, fmt.Errorf("make the site's trust keys: %w", err)
	}
	if err := checkModes(dir); err != nil {
		return nil, err
	}
	if _, err := k.current(); err != nil {
		return nil, err
	}
	return k, nil
}

// Document is the envelope of the trust document. Before it is handed out it is signed anew when it is due and the
// roots are on the server.
func (k *Keys) Document() ([]byte, error) {
	d, err := k.current()
	if err != nil {
		return nil, err
	}
	return d.Envelope(), nil
}

// RootIDs are the ids of the roots that the document names; PinOf makes half of a token's pin of them. Where they
// differ from those of a token, the token is void.
func (k *Keys) RootIDs() []string {
	d, err := k.current()
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		d = k.document // the disk fails: as far as it is known
	}
	return d.RootIDs()
}

// TaskKey is the key that signs tasks now, with its id.
func (k *Keys) TaskKey() (id string, key ed25519.PrivateKey, err error) {
	d, err := k.current()
	if err != nil {
		return "", nil, err
	}
	chosen := d.taskKey(k.now(), k.has)
	if chosen == nil {
		return "", nil, errors.New("no task key of the trust document is on this server and still good: " + signAgain)
	}
	s, err := readKey(k.path(keyFile(taskKind, chosen.ID)))
	return s.ID, s.private, err
}

// signAgain is what an administrator does whose roots are elsewhere.
const signAgain = "run `statewire trust next`, sign its file where the root keys are, and load it"

// taskKey chooses among the keys that are on the server: the one that ends first, as long as it has some life left for
// agents that do not know of its successor yet; else the one that ends last.
func (d *Document) taskKey(now time.Time, has func(file string) bool) *TaskKey {
	var early, late *TaskKey
	for i := range d.TaskKeys {
		key := &d.TaskKeys[i]
		if !now.Before(key.NotAfter) || !has(keyFile(taskKind, key.ID)) {
			continue
		}
		if late == nil || key.NotAfter.After(late.NotAfter) {
			late = key
		}
		if key.NotAfter.Sub(now) > taskKeyOverlap && (early == nil || key.NotAfter.Before(early.NotAfter)) {
			early = key
		}
	}
	if early != nil {
		return early
	}
	return late
}

// current is the document at this moment.
func (k *Keys) current() (*Document, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(); err != nil {
		return nil, err
	}
	return k.document, nil
}

// refresh reads the document when another process replaced it, and renews it when that is due. The caller holds mu. A
// renewal that fails is no reason to stop: what is there is good for a third of its life.
func (k *Keys) refresh() error {
	if err := k.read(); err != nil {
		return err
	}
	if !k.due(k.document) || !k.signs(k.document) {
		return nil
	}
	if err := k.renew(); err != nil && err.Error() != k.said {
		k.said = err.Error()
		k.log.Error("trust document not renewed", "err", err)
	}
	return nil
}

// read takes the document from disk if its file is another than at the last look.
func (k *Keys) read() error {
	path := k.path(documentFile)
	info, err := os.Stat(path)
	if err == nil && k.stamp != nil && os.SameFile(info, k.stamp) && info.ModTime().Equal(k.stamp.ModTime()) {
		return nil
	}
	d, err := readDocument(k.dir)
	if err != nil {
		return err
	}
	k.document, k.stamp = d, info
	return nil
}

// readDocument reads the document of a folder.
func readDocument(dir string) (*Document, error) {
	path := filepath.Join(dir, documentFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing; restore it from the backup that holds the keys beside it", path)
	}
	if err != nil {
		return nil, err
	}
	d, err := Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; restore it from a backup", path, err)
	}
	return d, nil
}

func (k *Keys) path(name string) string { return filepath.Join(k.dir, name) }

// has says whether a file is in the folder.
func (k *Keys) has(name string) bool { return exists(k.path(name)) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// checkModes refuses keys that other users of the machine may read; it opens none.
func checkModes(dir string) error {
	for _, kind := range []string{rootKind, packKind, taskKind} {
		paths, err := keyFiles(dir, kind)
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := durable.Private(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadEnvelope is the signed document of a folder, for whoever only passes it on.
func ReadEnvelope(dir string) ([]byte, error) {
	d, err := readDocument(dir)
	if err != nil {
		return nil, err
	}
	return d.Envelope(), nil
}
