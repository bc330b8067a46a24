package packages

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"statewire/agent/cache"
	"statewire/internal/topics"
)

const (
	// restartMarker is there while the system waits for a restart; the file beside it names the packages that ask for
	// it.
	restartMarker   = "/run/reboot-required"
	restartPackages = ".pkgs"
	// restartSystem stands for the packages when none is named.
	restartSystem = "system"

	maxMarkerBytes = 1 << 20
)

// restart is what the system's marker says.
type restart struct {
	pending  bool
	packages []string // sorted, each once
}

// readRestart reads the marker, which is gone after a restart.
func readRestart(marker string) (restart, error) {
	switch _, err := os.Stat(marker); {
	case errors.Is(err, fs.ErrNotExist):
		return restart{}, nil
	case err != nil:
		return restart{}, fmt.Errorf("look for the marker of a pending restart: %w", err)
	}
	r := restart{pending: true}
	f, err := os.Open(marker + restartPackages)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("read which packages wait for a restart: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxMarkerBytes))
	for lines.Scan() {
		if isPackageName(lines.Text()) {
			r.packages = append(r.packages, lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		return r, fmt.Errorf("read which packages wait for a restart: %w", err)
	}
	slices.Sort(r.packages)
	r.packages = slices.Compact(r.packages)
	return r, nil
}

// states is the state of every update that waits for a restart, and of those that did when the site was told.
func (r restart) states(told []cache.State, installed map[string]installation) []cache.State {
	var all []cache.State
	now := map[string]bool{}
	for _, name := range r.packages {
		if here, ok := installed[name]; ok {
			u := upgrade{name: name, candidate: here.version}
			now[u.topicID()] = true
			all = append(all, updateState(topics.UpdateEnforcement, u.topicID(), topics.EnforcementRestart, name, here.version))
		}
	}
	if r.pending && len(all) == 0 {
		now[restartSystem] = true
		all = append(all, updateState(topics.UpdateEnforcement, restartSystem, topics.EnforcementRestart))
	}
	for _, s := range told {
		if _, _, ours := splitTopicID(s.TopicID); (ours || s.TopicID == restartSystem) && !now[s.TopicID] &&
			s.StateID == topics.EnforcementRestart {
			s.StateID = topics.EnforcementDone
			all = append(all, updateState(topics.UpdateEnforcement, s.TopicID, topics.EnforcementDone, s.Params...))
		}
	}
	return all
}
