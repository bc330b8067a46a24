package manager

import "os"

// unlock has nothing to do: the lock ends with the file's handle.
func unlock(*os.File) error { return nil }
