package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"statewire/packs"
	"statewire/trust"
)

// PackFolder is a folder with the sealed packs that a client holds, one in each file *.mp.
type PackFolder struct {
	Dir   string
	Trust func() *trust.Document
}

// Get implements Packs. Of a pack in several versions only the highest is in force. A file that is not as a pack key of
// the site signed it is none.
func (f PackFolder) Get(id, version, hash string) (*packs.Pack, error) {
	names, err := filepath.Glob(filepath.Join(f.Dir, "*.mp"))
	if err != nil {
		return nil, err
	}
	var best *packs.Pack
	for _, name := range names {
		p, err := f.open(name)
		if err == nil && p.ID == id && (best == nil || p.Version.Compare(best.Version) > 0) {
			best = p
		}
	}
	switch {
	case best == nil:
		return nil, fmt.Errorf("pack %s is not held", id)
	case best.Version.String() != version:
		return nil, fmt.Errorf("of pack %s version %s is held, not %s", id, best.Version, version)
	case best.Hash != hash:
		return nil, fmt.Errorf("pack %s %s is another one here", id, version)
	}
	return best, nil
}

// open reads a sealed pack. That its key or the document has ended since is no matter: what the client holds goes on.
func (f PackFolder) open(name string) (*packs.Pack, error) {
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > trust.MaxPackBytes:
		return nil, errors.New("it is no pack")
	}
	text, err := fs.ReadFile(os.DirFS(filepath.Dir(name)), filepath.Base(name))
	if err != nil {
		return nil, err
	}
	return packs.Open(text, f.Trust(), time.Time{})
}
