package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// VerifyOptions are what Verify may be told; the zero value will do.
type VerifyOptions struct {
	Verifier string            // NAME+HASH+KEY; empty is that of the key beside the log
	Heads    map[string][]byte // further heads, by where they come from
}

// Report is what Verify found.
type Report struct {
	Files    int
	Lines    uint64
	Seq      uint64 // of the last line
	Hash     string // of the last line
	Head     Head   // the signed one; lines after it are younger than its second
	Open     int    // actions that have no outcome yet
	Torn     []string
	Verifier string
	Faults   []Fault // none when the log is what was written
}

// namedHead is a head and where it comes from.
type namedHead struct {
	name string
	Head
}

// Verify reads the whole log in dir, while another process may write it, and names every line that is not what was
// written or not where it was. Its memory is bounded. An error says that it could not be read.
func Verify(ctx context.Context, dir string, o VerifyOptions) (Report, error) {
	r, err := verify(ctx, dir, o)
	if err != nil {
		return r, fmt.Errorf("verify the audit log: %w", err)
	}
	return r, nil
}

func verify(ctx context.Context, dir string, o VerifyOptions) (r Report, err error) {
	if r.Verifier = o.Verifier; r.Verifier == "" {
		if r.Verifier, err = VerifierKey(dir); err != nil {
			return r, fmt.Errorf("%w; a log without its key needs the verifier key", err)
		}
	}
	v, err := note.NewVerifier(r.Verifier)
	if err != nil {
		return r, fmt.Errorf("the verifier key: %w", err)
	}
	c := newChain()
	heads, err := readHeads(dir, v, o.Heads, c) // before the lines: what it names is there
	if err != nil {
		return r, err
	}
	bySeq := map[uint64][]namedHead{}
	for _, h := range heads {
		bySeq[h.Seq] = append(bySeq[h.Seq], h)
	}
	if err := c.readAll(ctx, dir, bySeq, &r); err != nil {
		return r, err
	}
	for _, h := range heads {
		c.end(h.Head, h.name)
		if h.name == headFile {
			r.Head = h.Head
		}
	}
	c.settle(true)
	r.Lines, r.Seq, r.Hash, r.Open, r.Faults = c.lines, c.last.seq, c.sum, len(c.open), c.faults
	return r, nil
}

// readAll reads the files from the first on.
func (c *chain) readAll(ctx context.Context, dir string, heads map[uint64][]namedHead, r *Report) error {
	names, err := monthFiles(dir)
	if err != nil {
		return err
	}
	busy := inUse(dir)
	for i, name := range names {
		err := eachRecord(ctx, filepath.Join(dir, name), busy && i == len(names)-1, func(n int, rec record) error {
			c.step(name, n, rec)
			for _, h := range heads[c.last.seq] {
				c.head(h.Head, h.name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	r.Files = len(names)
	torn, err := filepath.Glob(filepath.Join(dir, tornPrefix+"*"))
	for _, path := range torn {
		r.Torn = append(r.Torn, filepath.Base(path))
	}
	return err
}

// readHeads reads the head, and those that did not fit at a start. What is no head is a fault.
func readHeads(dir string, v note.Verifier, more map[string][]byte, c *chain) ([]namedHead, error) {
	texts := map[string][]byte{headFile: nil}
	for name, text := range more {
		texts[name] = text
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no audit log: %w", err)
	}
	for _, e := range entries {
		if e.Name() == headFile || strings.HasPrefix(e.Name(), headFile+"-") {
			if texts[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	var heads []namedHead
	for name, text := range texts {
		if text == nil {
			c.faults = append(c.faults, Fault{File: name, Problem: "it is missing"})
			continue
		}
		h, err := openHead(text, v)
		if err != nil {
			c.faults = append(c.faults, Fault{File: name, Problem: err.Error()})
			continue
		}
		heads = append(heads, namedHead{name, h})
	}
	return heads, err
}

// ReadHead is the signed head of the log in dir. Whoever keeps it elsewhere, with VerifierKey, finds out later whether
// the log still says what it said.
func ReadHead(dir string) (Head, error) {
	key, err := VerifierKey(dir)
	if err != nil {
		return Head{}, err
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return Head{}, err
	}
	f, err := os.Open(filepath.Join(dir, headFile))
	if err != nil {
		return Head{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Head{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxLineBytes))
	if err != nil {
		return Head{}, err
	}
	h, err := openHead(text, v)
	h.Time = info.ModTime().UTC()
	return h, err
}
