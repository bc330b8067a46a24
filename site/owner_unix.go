//go:build unix

package site

import (
	"os"
	"runtime"
	"syscall"
)

// OwnerOf is whose a file is; told is false where the system does not say.
func OwnerOf(info os.FileInfo) (uid, gid int, told bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

// ownerOf is the user whose a folder is; told is false where the system does not tell who is at the other end of a
// socket, so that there is nothing to compare it with.
func ownerOf(dir string) (uid int, told bool, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return 0, false, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return 0, false, nil
	}
	return int(stat.Uid), true, nil
}
