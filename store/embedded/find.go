package embedded

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// EnvLibrary names the environment variable with the library's path.
const EnvLibrary = "STATEWIRE_STORE_ENGINE"

// FindLibrary returns the path of the engine library: explicit when given, else
// $STATEWIRE_STORE_ENGINE, else the first found beside the program, in lib or bin
// near it, in bin of the module around the working directory, and in the usual
// library folders.
func FindLibrary(explicit string) (string, error) {
	for _, path := range []string{explicit, os.Getenv(EnvLibrary)} {
		if path == "" {
			continue
		}
		if !isFile(path) {
			return "", fmt.Errorf("no engine library at %s (store.engine); fetch it with `make engine`", path)
		}
		return filepath.Abs(path)
	}
	for _, dir := range libraryFolders() {
		if path := filepath.Join(dir, libraryName()); isFile(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf(
		"no engine library %s found; fetch it with `make engine`, or name it in store.engine, or set store.addr to a "+
			"ClickHouse server", libraryName())
}

func libraryName() string {
	if runtime.GOOS == "darwin" {
		return "libchdb.dylib"
	}
	return "libchdb.so"
}

func libraryFolders() []string {
	var dirs []string
	if exe, err := program(os.Executable, os.Args[0]); err == nil {
		dir := filepath.Dir(exe)
		dirs = append(dirs, dir, filepath.Join(dir, "bin"), filepath.Join(dir, "..", "lib"),
			filepath.Join(dir, "..", "lib", "statewire"))
	}
	if root, ok := moduleRoot(); ok {
		dirs = append(dirs, filepath.Join(root, "bin"))
	}
	return append(dirs, "/usr/local/lib/statewire", "/usr/lib/statewire", "/usr/local/lib", "/usr/lib",
		"/opt/homebrew/lib")
}

// program is this program's file. Without /proc, as in some chroots, the system does not
// tell it: then it is where the name that it was called by leads.
func program(known func() (string, error), called string) (string, error) {
	exe, err := known()
	if err != nil {
		if exe, err = exec.LookPath(called); err != nil {
			return "", err
		}
	}
	if exe, err = filepath.Abs(exe); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(exe)
}

// moduleRoot walks up from the working directory to a go.mod.
func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	for err == nil {
		if isFile(filepath.Join(dir, "go.mod")) {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return "", false
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
