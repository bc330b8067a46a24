package trust

import (
	"errors"
	"os"
	"path/filepath"
)

// tempPrefix begins the names of what is not whole yet.
const tempPrefix = ".trust-"

// writeFile puts a file into dir, for its owner alone, whole and on disk or not at all.
func writeFile(dir, name string, data []byte) (err error) {
	f, err := os.CreateTemp(dir, tempPrefix) // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}
