package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"statewire/internal/durable"

	"golang.org/x/mod/sumdb/note"
)

// recover finds where the log ends, and mends what a crash left: a line that was cut, a head that is missing, actions
// without outcome. It reads the two newest files that have lines. What was tampered with stays as it is and is
// recorded; the numbers go on above the greatest that was ever signed, so that none is used twice.
func (l *Log) recover() error {
	names, err := monthFiles(l.dir)
	if err != nil {
		return err
	}
	torn, err := l.newest(names)
	if err != nil {
		return err
	}
	head, text, err := l.formerHead()
	if err != nil {
		return err
	}
	c, err := l.readNewest(names, head)
	if err != nil {
		return err
	}
	if err := l.keepUnfit(c, head, text); err != nil {
		return err
	}
	l.seq, l.sum, l.headLast = max(c.last.seq, head.Seq), c.sum, head.Seq
	l.last = Head{Time: c.lastAt, Seq: l.seq, Hash: l.sum}
	l.note(c, torn)
	if len(l.owed) > 0 {
		l.flush() // what can't be written now goes before the next action
	}
	if text != nil {
		return nil
	}
	return l.writeHead() // before the first action: from then on a missing head is a fault
}

// keepUnfit keeps a head that does not fit the lines under another name, where Verify finds it.
func (l *Log) keepUnfit(c *chain, h Head, text []byte) error {
	switch {
	case text == nil && c.lines > 0:
		c.faults = append(c.faults, Fault{File: headFile, Problem: "it is missing"})
	case text != nil && h.Hash == "":
		c.faults = append(c.faults, Fault{File: headFile, Problem: h.Note})
	}
	if text == nil || h.Hash != "" && !c.unfit {
		return nil
	}
	return durable.Write(l.dir, fmt.Sprintf("%s-%d-%s", headFile, h.Seq, sumOf(text)[:8]), tempPrefix, text, 0o600)
}

// newest opens the newest file and moves a cut line at its end aside; it returns where to.
func (l *Log) newest(names []string) (torn string, err error) {
	if len(names) == 0 {
		return "", nil
	}
	name := names[len(names)-1]
	path := filepath.Join(l.dir, name)
	l.month = name[:len(name)-len(fileEnd)]
	var cut int64
	err = eachRecord(context.Background(), path, false, func(_ int, rec record) error {
		if rec.whole {
			l.size += rec.size
		} else {
			cut = rec.size
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if l.file, err = l.openFile(path, false); err != nil || cut == 0 {
		return "", err
	}
	return l.moveTorn(path, cut)
}

// moveTorn copies the bytes after the last whole line into a file of their own, and cuts them off.
func (l *Log) moveTorn(path string, cut int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, l.size, cut))
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s%s-%d-%s", tornPrefix, l.month, l.size, sumOf(text)[:8]) // the same again after a crash here
	if err := durable.Write(l.dir, name, tempPrefix, text, 0o600); err != nil {
		return "", fmt.Errorf("move a line aside that was cut: %w", err)
	}
	return name, l.restore()
}

// readNewest follows the lines of the two newest files that have any.
func (l *Log) readNewest(names []string, head Head) (*chain, error) {
	first := 0
	for i, found := len(names)-1, 0; i >= 0 && found < 2; i-- {
		info, err := os.Stat(filepath.Join(l.dir, names[i]))
		if err != nil {
			return nil, err
		}
		if info.Size() > 0 {
			found++
		}
		first = i
	}
	c := newChain()
	c.started = first == 0
	for _, name := range names[first:] {
		err := eachRecord(context.Background(), filepath.Join(l.dir, name), false, func(n int, rec record) error {
			c.step(name, n, rec)
			c.head(head, headFile)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	c.end(head, headFile)
	return c, nil
}

// formerHead is the signed head as the process before left it; the zero one where there is none.
func (l *Log) formerHead() (h Head, text []byte, err error) {
	text, err = os.ReadFile(filepath.Join(l.dir, headFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Head{}, nil, nil
	}
	if err != nil {
		return Head{}, nil, err
	}
	key, err := VerifierKey(l.dir)
	if err != nil {
		return Head{}, nil, err
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return Head{}, nil, err
	}
	if h, err = openHead(text, v); err != nil {
		h = Head{Note: err.Error()} // it fits no line
	}
	return h, text, nil
}

// note records what was found, and gives actions of a process that ended their outcome.
func (l *Log) note(c *chain, torn string) {
	say := func(action, object, reason string) {
		e := actionEntry(Action{Actor: "site", Action: action, Object: object, Reason: short(reason)})
		e.keep = true
		l.owed = append(l.owed, e, outcomeEntry(e, Done, ""))
	}
	for _, seq := range slices.Sorted(maps.Keys(c.open)) {
		l.owed = append(l.owed, unknownEntry(seq))
	}
	if torn != "" {
		l.log.Warn("a line of the audit log was cut by a crash and moved aside", "file", torn)
		say("audit.torn", "audit/"+torn, "a crash cut the line before its action began")
	}
	if len(c.faults) > 0 {
		l.log.Error("the audit log is not what was written; run statewire audit verify", "fault", c.faults[0].String())
		say("audit.broken", "audit/"+c.faults[0].File, c.faults[0].String())
	}
}
