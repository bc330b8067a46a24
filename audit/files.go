package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"statewire/internal/durable"
)

// Names of the files in the folder, beside those of the months.
const (
	fileEnd    = ".jsonl"
	headFile   = "head" // the newest; head-SEQ is one that did not fit at a start
	keyFile    = "key"
	lockFile   = "lock"
	tornPrefix = "torn-"
	tempPrefix = ".audit-"
)

var monthName = regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])\.jsonl$`)

// monthFiles are the names of the files of lines, the oldest first.
func monthFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // by name, which is by time
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no audit log: %w", err)
	}
	var names []string
	for _, e := range entries {
		if monthName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// makeDir makes the folder of a log, and is sure that it stays.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(dir))
}
