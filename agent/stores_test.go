package agent

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/agent/cache"
	"statewire/internal/topics"
)

var testTime = time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)

// opened is a store under test. reopen is a restart: of the process where there is a disk, of nothing where there is
// none.
type opened struct {
	keptStore
	reopen func()
}

type keptStore interface {
	Store
	Continue(last uint64) error
}

// eachStore runs a test on both stores.
func eachStore(t *testing.T, test func(t *testing.T, s *opened)) {
	t.Run("memory", func(t *testing.T) {
		memory := cache.NewMemory(0)
		memory.KeepSent(20)
		test(t, &opened{memory, func() {}})
	})
	for name, o := range map[string]cache.Options{"file": {NoSync: true}, "file, shared": {NoSync: true, Coalesce: true}} {
		t.Run(name, func(t *testing.T) { test(t, openFile(t, o)) })
	}
}

func openFile(t *testing.T, o cache.Options) *opened {
	o.KeepSent = 20
	path := filepath.Join(t.TempDir(), "agent.db")
	var file *cache.File
	s := &opened{}
	s.reopen = func() {
		if file != nil {
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if file, err = cache.Open(path, o); err != nil {
			t.Fatal(err)
		}
		s.keptStore = file.Client(testIdentity.Client)
	}
	s.reopen()
	t.Cleanup(func() { _ = file.Close() })
	return s
}

// texts is a report in short: serial, topic id and state of every message, and the completion's parameter.
func texts(report *cache.Report) string {
	if report == nil {
		return "none"
	}
	var b strings.Builder
	for i, s := range report.States {
		if i > 0 {
			b.WriteByte(' ')
		}
		if s.TopicType == topics.Resync {
			fmt.Fprintf(&b, "%d:complete(%s)", s.Serial, s.Params[0])
			continue
		}
		fmt.Fprintf(&b, "%d:%s=%d", s.Serial, s.TopicID, s.StateID)
	}
	return b.String()
}
