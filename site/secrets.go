package site

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"statewire/configs"
)

// secretFolders hold keys, and little else.
var secretFolders = []string{"identity", "audit"}

// publicFiles of these folders are for everybody.
var publicFiles = []string{"ca.crt", "denied", "head"}

// checkSecrets refuses a data directory in which other users of the machine may read keys, and names the command that
// closes each of them. What this process may not enter is closed to it, and so to others.
func checkSecrets(data string) error {
	var open []string
	for _, folder := range secretFolders {
		err := filepath.WalkDir(filepath.Join(data, folder), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				return nil
			}
			if err != nil || !entry.Type().IsRegular() || slices.Contains(publicFiles, entry.Name()) {
				return err
			}
			if info, err := entry.Info(); err == nil && isOpen(info, 0o077) {
				open = append(open, path)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look at the modes of keys: %w", err)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return fmt.Errorf("other users of this machine may read secrets of the site; run: chmod 600 %s",
		strings.Join(open, " "))
}

// isOpen says whether a file has one of these bits of its mode.
func isOpen(info fs.FileInfo, bits fs.FileMode) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&bits != 0
}

// warnSecrets logs the files with secrets that the configuration names and everybody may read. They are not the site's:
// some who hand out such files give them that mode within a closed folder.
func warnSecrets(cfg configs.Config, log *slog.Logger) {
	for key, path := range map[string]string{"store.password_file": cfg.Store.PasswordFile,
		"relay.tls_key": cfg.Relay.TLSKey} {
		if info, err := os.Stat(path); path != "" && err == nil && isOpen(info, 0o007) {
			log.Warn("everybody on this machine may read a secret; run chmod o= on its file", "key", key, "file", path)
		}
	}
}
