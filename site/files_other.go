//go:build !unix

package site

// openFiles is how many files this process may have open: this system sets no limit that is worth a look.
func openFiles() int { return mostFiles }
