package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// These tests drive the built binary as a person and the fleet do: by its command line, its sockets and its folders.
// Nothing of the program runs in the test process. STATEWIRE_TEST_BIN names a binary to test in place of one built from
// this tree.

// engineEnv names the engine library for the binary.
const engineEnv = "STATEWIRE_STORE_ENGINE"

var (
	buildDir  string
	builtOnce = sync.OnceValues(buildBinary)
)

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "statewire-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// program is the program under test, built once per test process.
func program(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("drives the built binary")
	}
	path, err := builtOnce()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func buildBinary() (string, error) {
	if given := os.Getenv("STATEWIRE_TEST_BIN"); given != "" {
		return filepath.Abs(given)
	}
	path := filepath.Join(buildDir, "statewire")
	build := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return path, nil
}

// engineLibrary is the engine beside the tested binary, or in bin of this module.
func engineLibrary(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the engine")
	}
	candidates := []string{os.Getenv(engineEnv), filepath.Join("..", "..", "bin", "libchdb.so")}
	if given := os.Getenv("STATEWIRE_TEST_BIN"); given != "" {
		candidates = append(candidates, filepath.Join(filepath.Dir(given), "libchdb.so"))
	}
	for _, path := range candidates {
		if _, err := os.Stat(path); path != "" && err == nil {
			abs, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			return abs
		}
	}
	t.Fatal("the engine library is missing: `make engine` fetches it")
	return ""
}
