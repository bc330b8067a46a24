package site

import "os"

// ownerOf is not needed: only the user that the site runs as can open the socket.
func ownerOf(string) (uid int, told bool, err error) { return 0, false, nil }

// OwnerOf does not tell here.
func OwnerOf(os.FileInfo) (uid, gid int, told bool) { return 0, 0, false }
