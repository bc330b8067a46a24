//go:build unix

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// owner is the user whose data directory it is.
type owner struct {
	name     string // or #UID of a user without a name
	uid, gid int
	groups   []int
}

// foreignOwner is the user that root has to become to work on a data directory; nil for anybody but root, and for a
// directory of root's own or one that is not there.
func foreignOwner(data string) (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	info, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the data directory: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return nil, nil
	}
	return lookUp(stat.Uid, stat.Gid), nil
}

// lookUp finds a user's groups. One who has no name has the directory's group only.
func lookUp(uid, gid uint32) *owner {
	who := &owner{name: fmt.Sprintf("#%d", uid), uid: int(uid), gid: int(gid), groups: []int{int(gid)}}
	known, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return who
	}
	who.name = known.Username
	ids, _ := known.GroupIds() // without them it is in its own group
	who.joins(known.Gid, ids)
	return who
}

// joins makes the user a member of its primary group and of others.
func (o *owner) joins(primary string, others []string) {
	if gid, err := strconv.Atoi(primary); err == nil {
		o.gid, o.groups = gid, []int{gid}
	}
	for _, id := range others {
		if gid, err := strconv.Atoi(id); err == nil && gid != o.gid {
			o.groups = append(o.groups, gid)
		}
	}
}

// become gives up root for good, on every thread of the process.
func (o *owner) become() error {
	if err := syscall.Setgroups(o.groups); err != nil {
		return fmt.Errorf("set the groups: %w", err)
	}
	if err := syscall.Setgid(o.gid); err != nil {
		return fmt.Errorf("set the group: %w", err)
	}
	if err := syscall.Setuid(o.uid); err != nil {
		return fmt.Errorf("set the user: %w", err)
	}
	return nil
}

// MostOpen is how many files a command may open beside its own: half of what the process may have.
func MostOpen() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<20) / 2)
}
