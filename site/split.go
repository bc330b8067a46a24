package site

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// SplitRoles are the roles that a split site runs as users of their own: they speak with machines that nobody knows.
// Which users those are say the owners of their folders below run/, which only root can make so.
var SplitRoles = []string{"relay", "notifier", "fsp"}

// splitAgain ends every complaint about a split site.
const splitAgain = "stop the site and run `statewire split setup` as root"

func isFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// splitRoles are the roles of a site that run as users of their own; none on a site that is not split.
func splitRoles(data string) []string {
	return slices.DeleteFunc(slices.Clone(SplitRoles), func(role string) bool {
		return !isFolder(filepath.Join(runDir(data), role))
	})
}

// roleUsers are the users of roles, by their number.
func roleUsers(data string) (map[int]string, error) {
	users := map[int]string{}
	for _, role := range splitRoles(data) {
		uid, _, err := ownerOf(filepath.Join(runDir(data), role))
		if err != nil {
			return nil, fmt.Errorf("look whose role %s is: %w", role, err)
		}
		users[uid] = role
	}
	return users, nil
}

// splitModes are the modes of a split site's files, by their paths in the data directory.
func splitModes(data string) map[string]fs.FileMode {
	const shared = fs.ModeSetgid | 0o770
	box, err := filepath.Rel(data, InboxRoot(data))
	if err != nil {
		box = "inboxes/auth/statesys.box" // both begin with data
	}
	modes := map[string]fs.FileMode{".": 0o711, "run": fs.ModeSetgid | 0o710, "identity": 0o711,
		filepath.Dir(filepath.Dir(box)): 0o711, filepath.Dir(box): 0o711, box: shared}
	for _, folder := range []string{"incoming", "incoming/high", "incoming/low", "process", "corrupt", "tmp"} {
		modes[filepath.Join(box, folder)] = shared
	}
	split := splitRoles(data)
	for _, role := range split {
		modes[filepath.Join("run", role)] = fs.ModeSetgid | 0o750
		modes[filepath.Join("identity", role)] = 0o700
	}
	if slices.Contains(split, "notifier") {
		modes[presenceBox], modes[notifierDir], modes[spoolDir] = shared, 0o711, 0o700
		if slices.Contains(split, "relay") {
			modes[channelDir] = fs.ModeSetgid | 0o750
		}
	}
	return modes
}

// Folders of the notifier in a data directory. The first is for it and the manager alone: who else could write there
// would say who is online.
var (
	presenceBox = filepath.Join("inboxes", "bgb.box")
	notifierDir = "notifier"
	spoolDir    = filepath.Join(notifierDir, "spool")
	channelDir  = filepath.Join("run", "channel") // for the relay's user, too
)

// CheckSplit refuses to start on a split site whose modes or owners are others than setup made, and a role in a process
// of a user that is not its own. A site that is not split passes.
func CheckSplit(data string, roles Roles) error {
	split := splitRoles(data)
	if len(split) == 0 {
		return nil
	}
	return errors.Join(rightUser(data, split, roles), rightModes(data), stillClosed(data))
}

// rightModes names, in one sentence, each folder that does not have the mode that setup gave it. What this process may
// not look at is another's to check.
func rightModes(data string) error {
	var wrong []string
	modes := splitModes(data)
	for _, path := range slices.Sorted(maps.Keys(modes)) {
		info, err := os.Lstat(filepath.Join(data, path))
		switch {
		case errors.Is(err, fs.ErrPermission):
		case err != nil:
			wrong = append(wrong, err.Error())
		case !info.IsDir():
			wrong = append(wrong, filepath.Join(data, path)+" is no folder")
		case info.Mode()&^fs.ModeDir != modes[path]:
			wrong = append(wrong, fmt.Sprintf("%s has mode %s where a split site has %s", filepath.Join(data, path),
				octal(info.Mode()), octal(modes[path])))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s; %s", strings.Join(wrong, ", "), splitAgain)
}

// octal is a mode as chmod takes it.
func octal(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	for bit, value := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&bit != 0 {
			bits |= value
		}
	}
	return fmt.Sprintf("%04o", bits)
}

// SplitOwners are the users of a split site's roles, and the groups of roles and of the inbox, as its folders have
// them. They are nobody's on a site that is not split.
func SplitOwners(data string) (users map[string]int, roles, inbox int) {
	users = map[string]int{}
	for _, role := range splitRoles(data) {
		if uid, _, there := ownerOfFile(filepath.Join(runDir(data), role)); there {
			users[role] = uid
		}
	}
	if len(users) == 0 {
		return nil, 0, 0
	}
	_, roles, _ = ownerOfFile(runDir(data))
	_, inbox, _ = ownerOfFile(InboxRoot(data))
	return users, roles, inbox
}

func ownerOfFile(path string) (uid, gid int, there bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, 0, false
	}
	return OwnerOf(info)
}

// rightUser says whether this process may run the roles that it is to run.
func rightUser(data string, split []string, roles Roles) error {
	users, err := roleUsers(data)
	if err != nil {
		return err
	}
	owner, told, err := ownerOf(data)
	if err != nil || !told {
		return err
	}
	if users[owner] != "" || len(users) != len(split) || users[0] != "" {
		return fmt.Errorf("each role of the split site on %s needs a user of its own, neither root nor the site's; %s", data,
			splitAgain)
	}
	mine := users[os.Getuid()]
	for _, role := range roles {
		switch {
		case mine != "" && role != mine:
			return fmt.Errorf("user %d runs role %s of the split site on %s, not %s; start it with --roles %[2]s", os.Getuid(),
				mine, data, role)
		case mine == "" && slices.Contains(split, role):
			return fmt.Errorf("the site on %s is split: role %s runs as a user of its own; start the other roles here, with "+
				"--roles %s, and this one as the owner of %s", data, role, strings.Join(slices.DeleteFunc(slices.Clone(Built),
				func(r string) bool { return slices.Contains(split, r) }), ","), filepath.Join(runDir(data), role))
		}
	}
	return nil
}

// stillClosed names what the users of roles could read in the data directory, which they may enter. What this process
// may not list itself is closed.
func stillClosed(data string) error {
	entries, err := os.ReadDir(data)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	var open []string
	modes := splitModes(data)
	for _, entry := range entries {
		info, err := entry.Info()
		if _, listed := modes[entry.Name()]; err != nil || listed || entry.Type()&fs.ModeSymlink != 0 {
			continue
		}
		if isOpen(info, 0o007) {
			open = append(open, filepath.Join(data, entry.Name()))
		}
	}
	if info, err := os.Stat(TrustDir(data)); err == nil && isOpen(info, 0o077) {
		open = append(open, TrustDir(data))
	}
	if len(open) == 0 {
		return nil
	}
	return fmt.Errorf("the users of roles may read what is closed to them; run: chmod go= %s", strings.Join(open, " "))
}
