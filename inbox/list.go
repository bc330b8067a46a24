package inbox

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"statewire/inbox/disk"
	"time"
	"unicode/utf8"
)

// A claim list is a file in process/ with the suffix .claim, in JSON lines. The first line is
//
//	{"statewire_claim":1,"pid":4711,"files":256}
//
// and each of the others names a file of the chunk, which stays in its lane:
//
//	{"lane":"normal","name":"A.SMX","size":812,"inode":393,"mtime_ns":1767261600000000000,"claimed":"2026-01-01T10:00:00.000001Z"}
//
// size, inode and mtime_ns tell the file from a later one of the same name; claimed is when it was first claimed. A
// name that is not UTF-8 has its bytes in name_hex. The list goes when all its files have been stored or set aside.
const (
	listSuffix  = ".claim"
	listVersion = 1
)

// claimList is a durable list. Several chunks may hold its files in turn.
type claimList struct {
	name string
	open int // Guarded by Loader.mu. Files neither stored nor set aside.
}

// entry is one claimed file.
type entry struct {
	// Constant after it was made.
	lane    Lane
	name    string
	id      disk.Identity
	claimed time.Time
	list    *claimList // nil when it could not be written

	// Owned by the chunk that holds the file, else guarded by Loader.mu.
	chunk *Chunk // nil when the file waits in the loader
	tries int    // that failed
	due   time.Time
}

type listHeader struct {
	Version int `json:"statewire_claim"`
	PID     int `json:"pid"`
	Files   int `json:"files"`
}

type listLine struct {
	Lane    string    `json:"lane"`
	Name    string    `json:"name,omitempty"`
	NameHex string    `json:"name_hex,omitempty"`
	Size    int64     `json:"size"`
	Inode   uint64    `json:"inode"`
	MTime   int64     `json:"mtime_ns"`
	Claimed time.Time `json:"claimed"`
}

var (
	errListVersion = errors.New("written by a newer version: start that version, or let it drain the inbox first")
	errListBroken  = errors.New("broken claim list")
)

func encodeList(pid int, entries []*entry) []byte {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	// Encoding structs of strings and numbers into memory can't fail.
	_ = w.Encode(listHeader{listVersion, pid, len(entries)})
	for _, e := range entries {
		line := listLine{e.lane.String(), e.name, "", e.id.Size, e.id.Inode, e.id.Mtime, e.claimed}
		if !utf8.ValidString(e.name) {
			line.Name, line.NameHex = "", hex.EncodeToString([]byte(e.name))
		}
		_ = w.Encode(line)
	}
	return b.Bytes()
}

func decodeList(r io.Reader) ([]*entry, error) {
	lines := json.NewDecoder(bufio.NewReader(r))
	var header listHeader
	if err := lines.Decode(&header); err != nil {
		return nil, fmt.Errorf("%w: first line: %w", errListBroken, err)
	}
	switch {
	case header.Version > listVersion:
		return nil, fmt.Errorf("format %d: %w", header.Version, errListVersion)
	case header.Version < 1 || header.Files < 0:
		return nil, fmt.Errorf("%w: first line: format %d, %d files", errListBroken, header.Version, header.Files)
	}
	var entries []*entry
	for n := range header.Files {
		var line listLine
		if err := lines.Decode(&line); err != nil {
			return nil, fmt.Errorf("%w: file %d of %d: %w", errListBroken, n+1, header.Files, err)
		}
		e, err := line.entry()
		if err != nil {
			return nil, fmt.Errorf("%w: file %d of %d: %w", errListBroken, n+1, header.Files, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (l listLine) entry() (*entry, error) {
	e := &entry{name: l.Name, id: disk.Identity{Inode: l.Inode, Size: l.Size, Mtime: l.MTime}, claimed: l.Claimed.UTC()}
	switch l.Lane {
	case High.String():
		e.lane = High
	case Normal.String():
		e.lane = Normal
	case Low.String():
		e.lane = Low
	default:
		return nil, fmt.Errorf("unknown lane %q", l.Lane)
	}
	if e.claimed.Year() > 9999 {
		return nil, fmt.Errorf("claimed in the year %d", e.claimed.Year())
	}
	if l.NameHex != "" {
		name, err := hex.DecodeString(l.NameHex)
		if err != nil {
			return nil, err
		}
		e.name = string(name)
	}
	if foreign(disk.Entry{Name: e.name, Kind: disk.Regular}) != "" || bytes.ContainsAny([]byte(e.name), "/\x00") {
		return nil, errors.New("a name that no lane can hold")
	}
	return e, nil
}
