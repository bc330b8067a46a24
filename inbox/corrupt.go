package inbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"regexp"
	"statewire/inbox/disk"
	"strings"
	"time"
)

// BadFile is one file in corrupt.
type BadFile struct {
	Name   string
	Size   int64     // bytes, its reason left out
	Disk   int64     // bytes that it and its reason take, as far as is known without asking the disk
	Since  time.Time // when it was set aside
	Record bool      // records set aside from a report that loaded, not a whole file or report
	Number int       // of set-aside records
	Reason Reason    // zero when none lies beside it
	Token  string    // changes with the file and its reason; only Bad and Replayed fill it
}

// Until is the time up to which what was set aside under this name is meant.
func (b BadFile) Until() time.Time {
	if b.Reason.Time.IsZero() {
		return b.Since
	}
	return b.Reason.Time
}

// tokenBytes is how much of a SHA-256 is a token.
const tokenBytes = 8

// diskBlock is the least that a file takes on disk.
const diskBlock = 4096

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
	err := d.each(disk.CorruptFolder, func(e disk.Entry) error {
		if bad, _, ok := d.bad(e); ok && !yield(bad, nil) {
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
func (d *Dir) bad(e disk.Entry) (b BadFile, reason []byte, ok bool) {
	if e.Kind != disk.Regular || strings.HasSuffix(e.Name, reasonSuffix) {
		return BadFile{}, nil, false
	}
	s, err := d.disk.Stat(disk.CorruptFolder, e.Name)
	if err != nil {
		return BadFile{}, nil, false
	}
	b = BadFile{Name: e.Name, Size: s.Size, Since: s.Ctime.UTC()}
	if reason, err = d.contents(disk.CorruptFolder, e.Name+reasonSuffix); err == nil {
		// A reason that people edited into something else is as good as none.
		_ = json.Unmarshal(reason, &b.Reason)
	}
	b.Disk = blocks(s.Size) + blocks(int64(len(reason)))
	b.Record = len(b.Reason.Records) > 0 || b.Reason.File == "" && recordName.MatchString(e.Name)
	if b.Record {
		b.Number = max(1, len(b.Reason.Records)) // a file from before there were lists holds one
	}
	return b, reason, true
}

func blocks(size int64) int64 { return (size + diskBlock - 1) / diskBlock * diskBlock }

// Bad returns one file of corrupt with its token; an fs.ErrNotExist when it is not there.
func (d *Dir) Bad(name string) (BadFile, error) {
	if err := plain(name); err != nil {
		return BadFile{}, err
	}
	s, err := d.disk.Stat(disk.CorruptFolder, name)
	if err != nil {
		return BadFile{}, fmt.Errorf("look at corrupt/%s: %w", name, err)
	}
	b, reason, ok := d.bad(disk.Entry{Name: name, Kind: s.Kind})
	if !ok {
		return BadFile{}, fmt.Errorf("look at corrupt/%s: %w", name, fs.ErrNotExist)
	}
	data, err := d.contents(disk.CorruptFolder, name)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return BadFile{}, fmt.Errorf("read corrupt/%s: %w", name, err)
	}
	h := sha256.New()
	for _, part := range [][]byte{reason, {0}, data} {
		_, _ = h.Write(part) // never fails
	}
	b.Token = hex.EncodeToString(h.Sum(nil)[:tokenBytes])
	return b, nil
}

// ReadBad returns the bytes of a file in corrupt.
func (d *Dir) ReadBad(name string) ([]byte, error) {
	if err := plain(name); err != nil {
		return nil, err
	}
	data, err := d.contents(disk.CorruptFolder, name)
	if err != nil {
		return nil, fmt.Errorf("read corrupt/%s: %w", name, err)
	}
	return data, nil
}

// Replay puts data, what lies in corrupt or a mended copy of it, into incoming. What lies there stays until the loader
// has stored it (Chunk.Replayed). Doing it again changes nothing while the first is on its way.
func (d *Dir) Replay(b BadFile, data []byte) (name string, err error) {
	name, err = d.replay(b, data)
	d.counts.count("replayed", err)
	if err != nil {
		return "", fmt.Errorf("replay corrupt/%s: %w", b.Name, err)
	}
	return name, nil
}

func (d *Dir) replay(b BadFile, data []byte) (name string, err error) {
	name = replayName(b.Name, b.Token)
	if there, err := d.contents(disk.Folder(Normal), name); err == nil {
		if bytes.Equal(there, data) {
			return name, nil
		}
		return "", fmt.Errorf("another mended copy of it waits in the inbox already, as %s", name)
	}
	began, err := d.begin()
	if err != nil {
		return "", err
	}
	temp, err := d.stage(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	if err := d.disk.Rename(disk.TempFolder, temp, disk.Folder(Normal), name); err != nil {
		d.discard(temp)
		return "", d.failed("rename to incoming/"+name, err)
	}
	return name, d.settle(disk.Folder(Normal), began)
}

// moveBack moves a whole file from corrupt to incoming, under its own name or one close to it, and drops its reason.
func (d *Dir) moveBack(name string) (newName string, err error) {
	sum, err := d.hash(disk.CorruptFolder, name)
	if err != nil {
		return "", err
	}
	began, err := d.begin()
	if err != nil {
		return "", err
	}
	newName, err = d.unused(disk.CorruptFolder, name, disk.Folder(Normal),
		func(n int) string { return near(repaired(spelled(name), sum), n) })
	if err != nil {
		return "", err
	}
	if err := d.settle(disk.Folder(Normal), began); err != nil {
		return "", err
	}
	return newName, ignoreVanished(d.disk.Remove(disk.CorruptFolder, name+reasonSuffix))
}

// hash is the SHA-256 of a file of any size.
func (d *Dir) hash(at disk.Folder, name string) (sum [sha256.Size]byte, err error) {
	f, err := d.disk.Open(at, name)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	s, err := f.Stat()
	if err != nil {
		return sum, err
	}
	if s.Kind != disk.Regular {
		return sum, fmt.Errorf("a %s, not a file", s.Kind)
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	h.Sum(sum[:0])
	return sum, err
}

// Waits tells whether something that would bring this file back to corrupt still waits in the inbox: the file it came
// in, or a replay of it.
func (d *Dir) Waits(b BadFile) (name string, waits bool) {
	for lane := range lanes {
		for _, name := range []string{b.Reason.File, replayName(b.Name, b.Token)} {
			if name == "" {
				continue
			}
			if _, err := d.disk.Stat(disk.Folder(lane), name); err == nil {
				return name, true
			}
		}
	}
	return "", false
}

// SyncLanes makes durable that files which were loaded have gone: none of them comes back after a power cut.
func (d *Dir) SyncLanes() error {
	for lane := range lanes {
		if err := d.syncFolder(disk.Folder(lane)); err != nil {
			return err
		}
	}
	return nil
}

// RemoveBad deletes a file from corrupt, its reason last, unless it is another by now. The caller has made durable what
// is to be known of it.
func (d *Dir) RemoveBad(b BadFile) error {
	there, err := d.Bad(b.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ignoreVanished(d.disk.Remove(disk.CorruptFolder, b.Name+reasonSuffix))
	case err != nil:
		return err
	case there.Token != b.Token:
		return fmt.Errorf("corrupt/%s has changed meanwhile: %w", b.Name, ErrChanged)
	}
	for _, name := range []string{b.Name, b.Name + reasonSuffix} {
		if err := ignoreVanished(d.disk.Remove(disk.CorruptFolder, name)); err != nil {
			return fmt.Errorf("delete corrupt/%s: %w", name, err)
		}
	}
	d.counts.add("bad_removed", 1)
	return nil
}

// Replayed is Dir.Replayed of a claimed file.
func (c *Chunk) Replayed(f File) (b BadFile, ok bool, err error) {
	return c.loader.dir.Replayed(f.Name)
}

// Replayed returns what lies in corrupt and is tried again with a file of the inbox, as long as nothing else has taken
// its place.
func (d *Dir) Replayed(name string) (b BadFile, ok bool, err error) {
	of, token, replay := parseReplayName(name)
	if !replay {
		return BadFile{}, false, nil
	}
	b, err = d.Bad(of)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return BadFile{}, false, nil
	}
	return b, err == nil && b.Token == token, err
}

// RemoveBad is Dir.RemoveBad.
func (c *Chunk) RemoveBad(b BadFile) error { return c.loader.dir.RemoveBad(b) }

// IsReplay tells whether a file's name is that of a replay.
func (f File) IsReplay() bool { return IsReplayName(f.Name) }

// Dir is the inbox that the loader loads.
func (l *Loader) Dir() *Dir { return l.dir }

// plain refuses names that lead out of the folder.
func plain(name string) error {
	if name == "" || filepath.Base(name) != name || strings.HasSuffix(name, reasonSuffix) {
		return fmt.Errorf("%q: not the name of a file in corrupt: %w", name, fs.ErrInvalid)
	}
	return nil
}
