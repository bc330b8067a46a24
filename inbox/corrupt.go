package inbox

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// BadFile is one file in corrupt.
type BadFile struct {
	Name   string
	Size   int64     // bytes
	Since  time.Time // when it was set aside
	Record bool      // a record set aside from a file that loaded, not a whole file
	Reason Reason    // zero when none lies beside it
}

var recordName = regexp.MustCompile(`\.[0-9]+\.SMX$`)

// BadFiles goes over what lies in corrupt, in no order, without holding it all in memory.
func (d *Dir) BadFiles() iter.Seq2[BadFile, error] {
	return func(yield func(BadFile, error) bool) {
		if err := d.eachBad(yield); err != nil {
			yield(BadFile{}, fmt.Errorf("list %s/corrupt: %w", d.root, err))
		}
	}
}

// eachBad ends early, without an error, when yield says so.
func (d *Dir) eachBad(yield func(BadFile, error) bool) error {
	enough := errors.New("enough")
	err := d.each(corruptFolder, func(e dirEntry) error {
		if bad, ok := d.bad(e); ok && !yield(bad, nil) {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		return nil
	}
	return err
}

// bad looks at one entry of corrupt; a reason, and what vanished meanwhile, is none.
func (d *Dir) bad(e dirEntry) (b BadFile, ok bool) {
	if e.kind != regular || strings.HasSuffix(e.name, reasonSuffix) {
		return BadFile{}, false
	}
	s, err := d.disk.stat(corruptFolder, e.name)
	if err != nil {
		return BadFile{}, false
	}
	b = BadFile{Name: e.name, Size: s.size, Since: s.ctime.UTC(), Record: recordName.MatchString(e.name)}
	if data, err := d.contents(corruptFolder, e.name+reasonSuffix); err == nil {
		// A reason that people edited into something else is as good as none.
		_ = json.Unmarshal(data, &b.Reason)
	}
	return b, true
}

// ReadBad returns the bytes of a file in corrupt.
func (d *Dir) ReadBad(name string) ([]byte, error) {
	if err := plain(name); err != nil {
		return nil, err
	}
	data, err := d.contents(corruptFolder, name)
	if err != nil {
		return nil, fmt.Errorf("read corrupt/%s: %w", name, err)
	}
	return data, nil
}

// Replay moves a file from corrupt back to incoming, under its own name or one close to it, and drops its reason.
func (d *Dir) Replay(name string) (newName string, err error) {
	if err := plain(name); err != nil {
		return "", err
	}
	newName, err = d.replay(name)
	d.counts.count("replayed", err)
	if err != nil {
		return "", fmt.Errorf("replay corrupt/%s: %w", name, err)
	}
	return newName, nil
}

func (d *Dir) replay(name string) (newName string, err error) {
	sum, err := d.hash(corruptFolder, name)
	if err != nil {
		return "", err
	}
	began, err := d.begin()
	if err != nil {
		return "", err
	}
	newName, err = d.unused(corruptFolder, name, folder(Normal), func(n int) string { return near(repaired(spelled(name), sum), n) })
	if err != nil {
		return "", err
	}
	if err := d.settle(folder(Normal), began); err != nil {
		return "", err
	}
	return newName, ignoreVanished(d.disk.remove(corruptFolder, name+reasonSuffix))
}

// hash is the SHA-256 of a file of any size.
func (d *Dir) hash(at folder, name string) (sum [sha256.Size]byte, err error) {
	f, err := d.disk.open(at, name)
	if err != nil {
		return sum, err
	}
	defer f.close()
	s, err := f.stat()
	if err != nil {
		return sum, err
	}
	if s.kind != regular {
		return sum, fmt.Errorf("a %s, not a file", s.kind)
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	h.Sum(sum[:0])
	return sum, err
}

// plain refuses names that lead out of the folder.
func plain(name string) error {
	if name == "" || filepath.Base(name) != name || strings.HasSuffix(name, reasonSuffix) {
		return fmt.Errorf("%q: not the name of a file in corrupt: %w", name, fs.ErrInvalid)
	}
	return nil
}
