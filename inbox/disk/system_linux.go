package disk

import "golang.org/x/sys/unix"

// renameNew renames without replacing. File systems that can't do that in one step link and unlink; a crash between
// leaves both names, and the old one is swept.
func renameNew(from int, name string, to int, newName string) error {
	err := again(func() error { return unix.Renameat2(from, name, to, newName, unix.RENAME_NOREPLACE) })
	if err == unix.EINVAL || err == unix.ENOSYS {
		return linkNew(from, name, to, newName)
	}
	return err
}

// fullSync returns once what the descriptor stands for is on the disk.
func fullSync(fd int) error { return again(func() error { return unix.Fsync(fd) }) }

// duplicate makes the descriptor to stand for what from does.
func duplicate(from, to int) error { return unix.Dup3(from, to, unix.O_CLOEXEC) }
