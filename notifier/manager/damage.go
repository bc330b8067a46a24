package manager

import (
	"errors"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// errDamaged is a state file whose structure leads nowhere.
var errDamaged = errors.New("its pages make no sense; it was cut short or overwritten")

// guarded runs do and returns as an error what a damaged file makes of it: bbolt panics on pages that make no sense,
// and a file cut short ends in a memory fault. Either would end the process, and a relay in it would take no reports.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = errDamaged // what bbolt or the machine says of it helps nobody
		}
	}()
	return do()
}

// openFile opens a state file. Where that fails nothing is left open, and the next try does not wait for this one.
func openFile(path string) (db *bbolt.DB, err error) {
	var file *os.File
	open := func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	err = guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: fileWait, FreelistType: bbolt.FreelistMapType,
			OpenFile: open})
		return err
	})
	if errors.Is(err, errDamaged) && file != nil {
		err = errors.Join(err, unlock(file), file.Close()) // what is mapped of it would keep the lock
	}
	return db, err
}
