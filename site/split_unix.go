//go:build unix

package site

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"statewire/identity"
	"statewire/inbox"
	"statewire/store"
)

// SplitPlan says who is to run what on a split site.
type SplitPlan struct {
	Data         string
	Owner, Group int            // of the site; its group
	Users        map[string]int // of SplitRoles
	Roles, Inbox int            // groups: of the users of roles, and of those who come to the inbox
}

// SetUpSplit gives a data directory the owners and modes of a split site; it is for root, while nothing runs on it.
// Running it again mends what was changed.
func SetUpSplit(p SplitPlan) error {
	if os.Geteuid() != 0 {
		return errors.New("only root can give files to other users; run it with sudo")
	}
	if err := p.validate(); err != nil {
		return err
	}
	for _, role := range AllRoles {
		if pid := Holder(p.Data, role); pid != 0 {
			return fmt.Errorf("process %d runs role %s on %s; stop it first", pid, role, p.Data)
		}
	}
	if err := p.make(); err != nil {
		return fmt.Errorf("make the data directory %s: %w", p.Data, err)
	}
	root, err := os.OpenRoot(p.Data)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := p.giveFolders(root); err != nil {
		return err
	}
	if err := p.close(root); err != nil {
		return err
	}
	return errors.Join(SocketsFit(p.Data), stillClosed(p.Data))
}

func (p SplitPlan) validate() error {
	if p.Owner == 0 {
		return errors.New("the site's own user is root; a split site needs another one")
	}
	if len(p.Users) == 0 {
		return errors.New("no role has a user of its own")
	}
	had := map[int]string{0: "root", p.Owner: "the site's own"}
	for _, role := range slices.Sorted(maps.Keys(p.Users)) {
		uid := p.Users[role]
		if who := had[uid]; who != "" {
			return fmt.Errorf("the user of role %s, %d, is %s; each needs one of its own", role, uid, who)
		}
		had[uid] = "that of role " + role
	}
	if p.Roles == p.Group || p.Inbox == p.Group || p.Roles == p.Inbox || p.Roles == 0 || p.Inbox == 0 {
		return errors.New("the group of roles, that of the inbox and the site's own have to be three, and none is root's")
	}
	return nil
}

// make makes what a first start would. On a new data directory nobody but root was yet, so that all of it can be given
// away by name.
func (p SplitPlan) make() error {
	_, err := os.Stat(CAFileOf(p.Data))
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return err
	}
	if err := os.MkdirAll(p.Data, 0o700); err != nil {
		return err
	}
	if err := store.Prepare(p.Data); err != nil {
		return err
	}
	if fresh {
		if _, err := identity.Open(IdentityDir(p.Data), identity.Options{}); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(InboxRoot(p.Data), 0o700); err != nil {
		return err
	}
	if !fresh {
		return nil
	}
	return filepath.WalkDir(p.Data, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, p.Owner, p.Group))
	})
}

// CAFileOf is where a data directory has the certificates of its authorities.
func CAFileOf(data string) string { return identity.CAFile(IdentityDir(data)) }

// giveFolders makes the folders of a split site. None of it follows a link out of the folder that others may write: a
// role's user may have put one there.
func (p SplitPlan) giveFolders(root *os.Root) error {
	for role := range p.Users {
		if err := makeFolders(root, "run", filepath.Join("run", role)); err != nil {
			return err
		}
	}
	modes := splitModes(p.Data)
	box, err := filepath.Rel(p.Data, InboxRoot(p.Data))
	if err != nil {
		return err
	}
	boxes, err := root.OpenRoot(box)
	if err != nil {
		return err
	}
	defer boxes.Close()
	for _, path := range slices.Sorted(maps.Keys(modes)) { // folders before what is in them
		uid, gid := p.ownersOf(path, modes[path])
		in, name := root, path
		if within, err := filepath.Rel(box, path); err == nil && within != "." && filepath.IsLocal(within) {
			in, name = boxes, within
		}
		if err := makeFolders(in, name); err != nil {
			return err
		}
		if err := p.handOver(in, name, path, uid); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(p.Data, path), err)
		}
		if err := own(in, name, uid, gid, modes[path]); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(p.Data, path), err)
		}
	}
	return p.giveInbox(boxes)
}

// makeFolders makes folders that are missing.
func makeFolders(in *os.Root, names ...string) error {
	for _, name := range names {
		if err := in.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// ownersOf are the user and the group of a folder of the site.
func (p SplitPlan) ownersOf(path string, mode fs.FileMode) (uid, gid int) {
	uid, gid = p.Owner, p.Group
	switch {
	case path == "run":
		gid = p.Roles
	case path == channelDir:
		uid, gid = p.Users["notifier"], p.Roles
	case path == presenceBox, path == spoolDir:
		uid = p.Users["notifier"]
	case mode == fs.ModeSetgid|0o770:
		gid = p.Inbox
	case filepath.Dir(path) != "." && p.Users[filepath.Base(path)] != 0:
		uid = p.Users[filepath.Base(path)]
	}
	return uid, gid
}

// handOver prepares a folder that goes to a role's user, as long as it is another's: what the site wrote into a
// notifier's spool goes with it, and a certificate that the site gave itself goes away. What lies in a folder that the
// role's user has already is not touched: it may be anything.
func (p SplitPlan) handOver(in *os.Root, name, path string, uid int) error {
	info, err := in.Lstat(name)
	if err != nil {
		return err
	}
	if had, _, told := OwnerOf(info); !told || had == uid || uid == p.Owner {
		return nil
	}
	switch {
	case filepath.Dir(path) == "identity":
		err = in.Remove(filepath.Join(name, "server.pem"))
	case path == spoolDir:
		entries, err := fs.ReadDir(in.FS(), name)
		for _, entry := range entries {
			if entry.Type().IsRegular() {
				err = errors.Join(err, own(in, filepath.Join(name, entry.Name()), uid, p.Group, 0o600))
			}
		}
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// giveInbox makes the lock of the loader, which is the site's, and sweeps what dead processes left.
func (p SplitPlan) giveInbox(boxes *os.Root) error {
	dir, err := inbox.Open(InboxRoot(p.Data), nil)
	if err != nil {
		return err
	}
	if err := dir.Close(); err != nil {
		return err
	}
	for _, lock := range []string{"loader.lock", "tmp/.guard.lock"} {
		if err := own(boxes, lock, p.Owner, p.Inbox, 0o640); err != nil {
			return err
		}
	}
	return nil
}

// close takes from everybody else what lies in the data directory and is not shared.
func (p SplitPlan) close(root *os.Root) error {
	modes := splitModes(p.Data)
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	names := []string{"identity/trust"}
	for _, entry := range entries {
		if _, listed := modes[entry.Name()]; !listed && (entry.IsDir() || entry.Type().IsRegular()) {
			names = append(names, entry.Name())
		}
	}
	for _, name := range names {
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = own(root, name, p.Owner, p.Group, info.Mode().Perm()&0o700)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// own gives a file or folder its owners and its mode.
func own(in *os.Root, name string, uid, gid int, mode fs.FileMode) error {
	f, err := in.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(f.Chown(uid, gid), f.Chmod(mode))
}
