package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"statewire/inbox/disk"
	"strconv"
	"time"
)

// Names reads the index at the beginning of a file: the clients whose reports it holds. Known is false when the file
// does not say, so that it may hold anybody's; an error is one of reading.
type Names func(file io.Reader) (clients [][16]byte, known bool, err error)

// Unread says whose reports wait in an inbox.
type Unread struct {
	Everybody bool                  // a report of any client may wait
	Reason    string                // why everybody's may
	Backlog   bool                  // more files wait than were looked at
	Files     int                   // that wait; with a backlog the bound
	Clients   map[[16]byte]struct{} // whose reports wait; incomplete when everybody's may
}

// UnreadFile is one file that waits.
type UnreadFile struct {
	Name  string
	Box   string    // high, normal or low, or process when a loader has claimed it
	Since time.Time // when it came into this inbox
	Names bool      // it names the client; else it may hold anybody's reports
}

// Unread reads the indexes of all files that are in a lane or in process/, claimed or not. Whoever's report was durable
// when it was called is in the answer, unless its messages were stored, or its file set aside, before it returned: a
// file goes only after that. More than most files are not looked at; then, as for a file that can't be read or names
// nobody, everybody's reports may wait.
func (d *Dir) Unread(ctx context.Context, names Names, most int) (Unread, error) {
	u := Unread{Clients: map[[16]byte]struct{}{}}
	err := d.eachUnread(ctx, most, func(at disk.Folder, name string) error {
		u.Files++
		if u.Everybody {
			return nil // nothing more to learn but their number
		}
		clients, why, err := d.namesIn(at, name, names)
		if errors.Is(err, fs.ErrNotExist) {
			u.Files-- // stored meanwhile
			return nil
		}
		if u.Everybody = why != ""; u.Everybody {
			u.Reason = at.String() + "/" + name + " " + why
		}
		for _, c := range clients {
			u.Clients[c] = struct{}{}
		}
		return nil
	})
	if errors.Is(err, errBacklog) {
		u.Everybody, u.Backlog, u.Reason = true, true, "backlog: more than "+strconv.Itoa(most)+" files wait"
		return u, nil
	}
	if err != nil {
		return Unread{}, fmt.Errorf("list unread files in %s: %w", d.root, err)
	}
	return u, nil
}

// Holding lists the files in which reports of the client wait or may wait, the oldest first. With all false there are
// more than most files in the inbox, and not all were looked at.
func (d *Dir) Holding(ctx context.Context, client [16]byte, names Names, most int) (files []UnreadFile, all bool,
	err error) {
	claimed, err := d.claimed()
	if err != nil {
		return nil, false, fmt.Errorf("list unread files in %s: %w", d.root, err)
	}
	err = d.eachUnread(ctx, most, func(at disk.Folder, name string) error {
		clients, why, err := d.namesIn(at, name, names)
		named := slices.Contains(clients, client)
		if errors.Is(err, fs.ErrNotExist) || !named && why == "" {
			return nil
		}
		f := UnreadFile{Name: name, Box: boxOf(at, claimed[laneName{Lane(at), name}]), Names: named}
		if f.Since, err = d.since(at, name); err == nil {
			files = append(files, f)
		}
		return ignoreVanished(err)
	})
	if err != nil && !errors.Is(err, errBacklog) {
		return nil, false, fmt.Errorf("list unread files in %s: %w", d.root, err)
	}
	slices.SortFunc(files, func(a, b UnreadFile) int { return a.Since.Compare(b.Since) })
	return files, err == nil, nil
}

// unreadFolders are where unread files lie, in the order they are looked at: a file that goes back from process/ to its
// lane meanwhile is found in one of them.
var unreadFolders = [...]disk.Folder{disk.ProcessFolder, disk.Folder(High), disk.Folder(Normal), disk.Folder(Low)}

// errBacklog ends a listing that would take too long.
var errBacklog = errors.New("backlog")

// eachUnread calls do for every unread file, of at most most files.
func (d *Dir) eachUnread(ctx context.Context, most int, do func(at disk.Folder, name string) error) error {
	stays, err := d.stays()
	if err != nil {
		return err
	}
	for _, at := range unreadFolders {
		if err := d.held(at); err != nil {
			return err
		}
		err := d.each(at, func(e disk.Entry) error {
			if foreign(e) != "" || d.isListed(stays, at, e.Name) {
				return nil // no loader will ever take it
			}
			if most--; most < 0 {
				return errBacklog
			}
			return errors.Join(ctx.Err(), do(at, e.Name))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// namesIn reads whom a file names; why says why it may concern everybody. The error is an fs.ErrNotExist for a file
// that is gone.
func (d *Dir) namesIn(at disk.Folder, name string, names Names) (clients [][16]byte, why string, err error) {
	f, err := d.disk.Open(at, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	if err != nil {
		return nil, fmt.Sprintf("can't be read: %v", err), nil
	}
	defer f.Close()
	clients, known, err := names(f)
	switch {
	case err != nil:
		return nil, fmt.Sprintf("can't be read: %v", err), nil
	case !known:
		return nil, "does not name its clients", nil
	}
	return clients, "", nil
}

// since is when a file came into this inbox.
func (d *Dir) since(at disk.Folder, name string) (time.Time, error) {
	s, err := d.disk.Stat(at, name)
	return s.Ctime.UTC(), err
}

func boxOf(at disk.Folder, claimed bool) string {
	if claimed || at == disk.ProcessFolder {
		return disk.ProcessFolder.String()
	}
	return Lane(at).String()
}
