package packages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// errNoApt is a machine that does not take its software from apt.
var errNoApt = errors.New("this machine has no apt")

// errNoLists is an apt that was never told, or has forgotten, what there is: it would call every machine up to date.
var errNoLists = errors.New("there are no package lists; run apt-get update")

// upgrade is a package whose candidate, the version apt would install, is not the one that is installed.
type upgrade struct {
	name      string // as apt takes it: with :ARCH only if that is a foreign one
	installed string
	candidate string
	origin    string // suite and component, such as bookworm-security/main; empty when apt names none
}

// installation is what dpkg knows of an installed package.
type installation struct {
	version string
	whole   bool // unpacked and configured
}

// inventory is what apt and dpkg say at one moment.
type inventory struct {
	upgrades  []upgrade // sorted by name
	installed map[string]installation
	listed    time.Time // when the package lists were last brought up to date
	unread    string    // a file of sources or preferences that apt may not read as this user; empty = none
}

// apt asks the package tools of this machine. It changes nothing on it, not even their caches.
type apt struct {
	// Constant after newApt.
	run func(ctx context.Context, name string, args ...string) (said, warned []byte, err error)

	mu sync.Mutex
	// Guarded by mu until prepare has filled them, constant afterwards.
	arch   string // the machine's own
	state  string // apt's folder
	lists  string // apt's folder of package lists
	status string // dpkg's file of what is installed
}

func newApt() *apt { return &apt{run: runTool} }

// prepare finds the tools and where they keep their files. It does so once; errNoApt is for good.
func (a *apt) prepare(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.status != "" {
		return nil
	}
	for _, tool := range []string{"apt-cache", "apt-config", "dpkg", "dpkg-query"} {
		if _, err := exec.LookPath(tool); errors.Is(err, exec.ErrNotFound) {
			return errNoApt
		}
	}
	said, _, err := a.run(ctx, "apt-cache", "--version")
	if err != nil {
		return err
	}
	if err := checkAptVersion(said); err != nil {
		return err
	}
	if said, _, err = a.run(ctx, "dpkg", "--print-architecture"); err != nil {
		return err
	}
	if a.arch, err = parseArchitecture(said); err != nil {
		return err
	}
	said, _, err = a.run(ctx, "apt-config", "shell", "state", "Dir::State/d", "lists", "Dir::State::lists/d", "status",
		"Dir::State::status/f")
	if err != nil {
		return err
	}
	places := parseShell(said)
	a.state, a.lists, a.status = places["state"], places["lists"], places["status"]
	if a.lists == "" || a.status == "" {
		a.status = ""
		return errors.New("apt-config does not say where the package lists and dpkg's status file are")
	}
	return nil
}

// look asks for everything a scan needs.
func (a *apt) look(ctx context.Context) (inventory, error) {
	var found inventory
	if err := a.prepare(ctx); err != nil {
		return found, err
	}
	var err error
	if found.listed, err = a.listsTime(); err != nil {
		return found, err
	}
	// The pattern is the condition of `apt list --upgradable`. apt would write its caches if it were not told to have
	// none.
	said, warned, err := a.run(ctx, "apt-cache", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=",
		"policy", "?upgradable")
	if err != nil {
		return found, err
	}
	found.unread = parseUnread(warned)
	if found.upgrades, err = parsePolicy(said); err != nil {
		return found, fmt.Errorf("apt-cache policy: %w", err)
	}
	if said, _, err = a.run(ctx, "dpkg-query", "-W", "-f", installedFormat); err != nil {
		return found, err
	}
	if found.installed, err = parseInstalled(said, a.arch); err != nil {
		return found, fmt.Errorf("dpkg-query: %w", err)
	}
	return found, nil
}

// listsTime is when the package lists were last compared with their sources. The lists themselves carry their sources'
// times.
func (a *apt) listsTime() (time.Time, error) {
	names, err := filepath.Glob(filepath.Join(a.lists, "*Packages*"))
	if err != nil {
		return time.Time{}, err
	}
	if len(names) == 0 {
		return time.Time{}, errNoLists
	}
	var latest time.Time
	for _, path := range []string{a.lists, filepath.Join(a.lists, "partial"),
		filepath.Join(a.state, "periodic", "update-success-stamp")} {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("see how old the package lists are: %w", err)
		}
		if info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest, nil
}

// traces are the files and folders that change when anything changes that a scan looks at.
func (a *apt) traces() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.status == "" {
		return nil
	}
	return []string{a.status, a.lists, filepath.Join(a.lists, "partial")}
}
