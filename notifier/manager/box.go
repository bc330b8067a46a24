package manager

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"statewire/notifier/wire"
)

// maxHeldRows bounds the rows in memory of files that wait for one before them; those of more are read again.
const maxHeldRows = 4 * wire.MaxRows

// box is the folder that servers put their presence files and result files into. A file leaves it when its rows are on
// the disk, or when it is set aside with the reason.
type box struct {
	m        *Manager
	dir, bad string

	// Owned by Run.
	files  map[string]*file // that wait, by name
	gone   map[string]bool  // loaded, and not removed yet
	broken map[string]*aside
	senders
	started  bool
	looked   time.Time // the last look
	held     int       // rows in memory
	told     string    // the last complaint
	toldTime time.Time
}

// file is a presence file that waits for its turn.
type file struct {
	name   string
	report wire.Report // without its rows where too many wait
	bad    []wire.BadRow
	rows   int // that are in memory
	first  time.Time
}

func newBox(m *Manager) *box {
	return &box{m: m, dir: m.cfg.Box, bad: filepath.Join(m.cfg.Box, "bad"), files: map[string]*file{},
		gone: map[string]bool{}, broken: map[string]*aside{}, senders: newSenders()}
}

// load takes what is in the folder, the reports of each server in their order. A file that cannot be dealt with keeps
// no other waiting. It is false where the folder cannot be looked into: then nobody knows what waits there.
func (b *box) load(now time.Time) (looked bool, err error) {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return false, fmt.Errorf("look into the box of presence and result files: %w", err)
	}
	errs := []error{b.look(entries, now)}
	for _, reports := range b.waiting() {
		errs = append(errs, b.inOrder(reports, now))
	}
	return true, errors.Join(errs...)
}

// look reads the files that came, and forgets those that went.
func (b *box) look(entries []fs.DirEntry, now time.Time) error {
	there := map[string]bool{}
	var errs []error
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		switch {
		case holdsResults(name):
			there[name] = true
			errs = append(errs, b.meetResults(name, now))
		case strings.EqualFold(filepath.Ext(name), wire.Extension):
			there[name] = true
			errs = append(errs, b.meet(name, now))
		}
	}
	for name, f := range b.files {
		if !there[name] {
			b.held -= f.rows
			delete(b.files, name)
		}
	}
	for name := range b.gone {
		if !there[name] {
			delete(b.gone, name)
		}
	}
	for name := range b.broken {
		if !there[name] {
			delete(b.broken, name)
		}
	}
	return errors.Join(errs...)
}

// meet deals with a name in the folder.
func (b *box) meet(name string, now time.Time) error {
	switch {
	case b.files[name] != nil:
		return nil
	case b.gone[name]:
		return b.remove(name)
	case b.broken[name] != nil:
		return b.setAside(name, b.broken[name], now)
	}
	report, bad, broken, err := b.read(name, now)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errBeingWritten):
		return nil
	case err != nil:
		return fmt.Errorf("read presence file %s: %w", name, err)
	case broken != nil:
		b.broken[name] = broken
		return b.setAside(name, broken, now)
	}
	f := &file{name: name, report: report, bad: bad, rows: len(report.Rows), first: now}
	b.files[name] = f
	if b.held += f.rows; b.held > maxHeldRows {
		b.held -= f.rows
		f.report.Rows, f.bad, f.rows = nil, nil, -1
	}
	b.m.heardOf(report.ServerID, now)
	return nil
}

// errBeingWritten is a file that cannot be read yet, such as one that somebody copies into the folder.
var errBeingWritten = errors.New("it is being written")

// whyUnreadable is why a file cannot be read, in words for who finds it.
func whyUnreadable(data []byte, err error) string {
	var syntax *xml.SyntaxError
	switch {
	case len(data) == 0:
		return "the file is empty"
	case errors.As(err, &syntax) && syntax.Msg == "unexpected EOF", errors.Is(err, io.EOF), errors.Is(err,
		io.ErrUnexpectedEOF):
		return "the file ends too early"
	}
	return err.Error()
}

// read reads a presence file; broken says why it can never be loaded.
func (b *box) read(name string, now time.Time) (report wire.Report, bad []wire.BadRow, broken *aside, err error) {
	broken, err = b.open(name, now, func(data []byte) (server string, id uint32, err error) {
		report, bad, err = wire.DecodeReport(data)
		return report.Server, report.ServerID, err
	})
	return report, bad, broken, err
}

// open has a file decoded, and refuses one that is not of a server of this site.
func (b *box) open(name string, now time.Time, decode func([]byte) (string, uint32, error)) (*aside, error) {
	path := filepath.Join(b.dir, name)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return &aside{Reason: "it is no regular file"}, nil
	}
	if info.Size() > wire.MaxReportBytes {
		return &aside{Reason: fmt.Sprintf("it has %d bytes; allowed are %d", info.Size(), wire.MaxReportBytes)}, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	server, id, err := decode(data)
	if err != nil {
		if now.Sub(info.ModTime()).Abs() < writtenFor {
			return nil, errBeingWritten
		}
		return &aside{Reason: whyUnreadable(data, err)}, nil
	}
	if err := b.m.mine(server, id); err != nil {
		return &aside{Reason: err.Error() + "; a file in this folder is of the site's own notifier", Server: id}, nil
	}
	return nil, nil
}

// parts are the files of one report.
type parts []*file

func (p parts) head() wire.Report { return p[0].report }

// whole says whether no part is missing.
func (p parts) whole() bool {
	have := map[int]bool{}
	for _, f := range p {
		if f.report.Parts != p.head().Parts || f.report.Full != p.head().Full || f.report.Base != p.head().Base {
			return false
		}
		have[f.report.Part] = true
	}
	return len(have) == p.head().Parts
}

// waiting are the reports that wait, by server, each server's in the order of their versions.
func (b *box) waiting() map[uint32][]parts {
	all := map[uint32][]*file{}
	for _, f := range b.files {
		all[f.report.ServerID] = append(all[f.report.ServerID], f)
	}
	out := map[uint32][]parts{}
	for id, files := range all {
		slices.SortFunc(files, func(x, y *file) int {
			return cmp.Or(cmp.Compare(x.report.Epoch, y.report.Epoch), cmp.Compare(x.report.Version, y.report.Version),
				cmp.Compare(x.report.Part, y.report.Part), cmp.Compare(x.name, y.name))
		})
		for _, f := range files {
			last := len(out[id]) - 1
			if last >= 0 && out[id][last].head().Epoch == f.report.Epoch && out[id][last].head().Version == f.report.Version {
				out[id][last] = append(out[id][last], f)
			} else {
				out[id] = append(out[id], parts{f})
			}
		}
	}
	return out
}

// inOrder loads the reports of one server whose turn it is.
func (b *box) inOrder(reports []parts, now time.Time) error {
	for _, p := range reports {
		turn := b.m.turnOf(p)
		if turn == tooEarly && now.Sub(p[0].first) < missedAfter && !now.Before(p[0].first) {
			return nil
		}
		if err := b.loadReport(p, turn, now); err != nil {
			return err
		}
	}
	return nil
}

// loadReport makes the rows of a report durable, and then removes its files.
func (b *box) loadReport(p parts, turn turn, now time.Time) error {
	for _, f := range p {
		if f.rows < 0 {
			report, bad, broken, err := b.read(f.name, p[0].first)
			if err != nil || broken != nil {
				delete(b.files, f.name) // the next look says what became of it
				return err
			}
			f.report, f.bad = report, bad
		}
	}
	if err := b.m.loadReport(p, turn); err != nil {
		return fmt.Errorf("load report %d of server %s: %w", p.head().Version, p.head().Server, err)
	}
	result := "loaded"
	if turn == late {
		result = "late"
	}
	var errs []error
	for _, f := range p {
		b.m.metrics.files.WithLabelValues(result).Inc()
		errs = append(errs, b.keepBadRows(f.name, f.report.ServerID, f.bad, now))
		b.held -= max(f.rows, 0)
		delete(b.files, f.name)
		b.gone[f.name] = true
		errs = append(errs, b.remove(f.name))
	}
	return errors.Join(errs...)
}

// remove removes a file whose rows are durable. Where it stays, it is not loaded again.
func (b *box) remove(name string) error {
	err := os.Remove(filepath.Join(b.dir, name))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		delete(b.gone, name)
		return nil
	}
	return fmt.Errorf("remove a loaded %s: %w", kindOf(name), err)
}

// complain logs what goes wrong, once a minute where it stays the same.
func (b *box) complain(err error, now time.Time) {
	text := err.Error()
	if text == b.told && now.Sub(b.toldTime) < time.Minute {
		return
	}
	b.told, b.toldTime = text, now
	b.m.log.Error("files of notification servers cannot be loaded; it is tried again", "box", b.dir, "err", err)
}
