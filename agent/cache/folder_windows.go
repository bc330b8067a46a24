package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// folderAccess gives the system, administrators and the owner a folder and all that is made in it, and nobody else
// anything.
const folderAccess = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"

// makeFolder makes a folder, and those above it that are missing, which only the system, administrators and this user
// may enter. One that is there stays as it is. Windows takes no mode: without this a folder below ProgramData would be
// everybody's to read and add to.
func makeFolder(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if parent := filepath.Dir(path); parent != path {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	access, err := windows.SecurityDescriptorFromString(folderAccess)
	if err != nil {
		return err
	}
	private := windows.SecurityAttributes{SecurityDescriptor: access}
	private.Length = uint32(unsafe.Sizeof(private))
	if err := windows.CreateDirectory(name, &private); err != nil && !errors.Is(err, windows.ERROR_ALREADY_EXISTS) {
		return fmt.Errorf("make the folder %s: %w", path, err)
	}
	return nil
}
