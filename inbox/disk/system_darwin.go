package disk

import "golang.org/x/sys/unix"

// renameNew renames without replacing. File systems that can't do that in one step link and unlink; a crash between
// leaves both names, and the old one is swept.
func renameNew(from int, name string, to int, newName string) error {
	err := again(func() error { return unix.RenameatxNp(from, name, to, newName, unix.RENAME_EXCL) })
	if err == unix.EINVAL || err == unix.ENOTSUP {
		return linkNew(from, name, to, newName)
	}
	return err
}

// fullSync returns once what the descriptor stands for is on the disk; plain fsync leaves it in the drive's cache. File
// systems without the full form get the plain one.
func fullSync(fd int) error {
	err := again(func() error { _, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0); return err })
	if err == unix.ENOTSUP || err == unix.ENOTTY || err == unix.EINVAL {
		return again(func() error { return unix.Fsync(fd) })
	}
	return err
}

// duplicate makes the descriptor to stand for what from does.
func duplicate(from, to int) error {
	if err := unix.Dup2(from, to); err != nil {
		return err
	}
	unix.CloseOnExec(to)
	return nil
}
