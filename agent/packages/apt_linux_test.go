package packages

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/internal/topics"
)

// notebook keeps the latest state per topic, and how many were raised.
type notebook struct {
	states map[topic]cache.State
	raised int
}

func (n *notebook) Raise(states ...cache.State) error {
	n.raised += len(states)
	for _, s := range states {
		if err := s.Check(); err != nil {
			return err
		}
		n.states[topicOf(&s)] = s
	}
	return nil
}

func (n *notebook) Messages(...uint32) (m agent.Messages, err error) {
	for _, s := range n.states {
		m.Held = append(m.Held, cache.Held{State: s})
	}
	return m, nil
}

// required is what the notebook calls required, as debian.upgradable has it.
func (n *notebook) required() []string {
	var all []string
	for t, s := range n.states {
		if t.kind == topics.UpdateDetection && s.StateID == topics.UpdateRequired {
			all = append(all, t.id+" from "+s.Params[1])
		}
	}
	slices.Sort(all)
	return all
}

func (n *notebook) state(kind uint32, id string) string {
	s, ok := n.states[topic{kind, id}]
	if !ok {
		return "untold"
	}
	return fmt.Sprint(s.StateID, s.Params)
}

func (m *debian) packages() (*Source, *notebook) {
	book := &notebook{states: map[topic]cache.State{}}
	p := New(agent.DefaultConfig(), book, time.Now, quiet)
	p.marker = filepath.Join(m.root, "reboot-required")
	return p, book
}

// scan scans and holds the result against what apt shows.
func (m *debian) scan(p *Source, book *notebook, raised int) agent.ScanResult {
	m.t.Helper()
	before := book.raised
	result, err := p.Scan(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	want := m.upgradable()
	if got := book.required(); !slices.Equal(got, want) {
		m.t.Errorf("required are %q, apt lists %q", got, want)
	}
	if result.Required != len(want) || result.Raised != raised || book.raised-before != raised+2 {
		m.t.Errorf("scan says %+v and raised %d states; want %d required, %d raised, and the scan's own two",
			result, book.raised-before, len(want), raised)
	}
	if got := book.state(topics.UpdateScan, packageSource); !strings.HasPrefix(got,
		fmt.Sprintf("%d [%d ", topics.ScanCompleted, len(want))) {
		m.t.Errorf("the scan's state is %s, want completed", got)
	}
	return result
}

var (
	first = []deb{{"alpha", "1.0-1", "all", ""}, {"beta", "1:2.0-1", "amd64", "Multi-Arch: same\n"},
		{"beta", "1:2.0-1", "i386", "Multi-Arch: same\n"}, {"held", "1.0", "all", ""}, {"same", "1.0", "all", ""}}
	second = []deb{{"alpha", "1.0-2", "all", ""}, {"beta", "1:2.0-2", "amd64", "Multi-Arch: same\n"},
		{"beta", "1:2.0-2", "i386", "Multi-Arch: same\n"}, {"held", "2.0", "all", ""},
		{"same", "1.0", "all", "Depends: alpha\n"}}
)

// What the agent calls required is what `apt list --upgradable` lists, at every step of a machine's life; nothing is
// told twice.
func TestRequiredUpdatesAreThoseThatAptLists(t *testing.T) {
	m := newDebian(t)
	m.publish(first...)
	m.run("apt-get", "-qy", "install", "alpha", "beta", "beta:i386", "held", "same")
	p, book := m.packages()
	m.scan(p, book, 0)

	m.publish(slices.Concat(first[:4], second)...)
	m.run("apt-mark", "hold", "held")
	if got := m.scan(p, book, 5); got.Required != 5 {
		t.Errorf("%d are required, want a new version, two of a foreign pair, a held and a rebuilt one", got.Required)
	}
	m.scan(p, book, 0)
	if got := book.state(topics.UpdateDetection, "beta:i386=1:2.0-2"); got != "2 [beta:i386 1:2.0-1 1:2.0-2 ./]" {
		t.Errorf("the foreign package is %s", got)
	}

	m.run("apt-get", "-qy", "install", "alpha")
	m.scan(p, book, 1)
	if got := book.state(topics.UpdateDetection, "alpha=1.0-2"); got != "3 [alpha 1.0-2 1.0-2 ./]" {
		t.Errorf("the upgraded package is %s, want installed", got)
	}
	m.run("apt-get", "-qy", "upgrade")
	m.scan(p, book, 3) // both of beta, and same
	if got := book.required(); len(got) != 1 {
		t.Errorf("required are %q, want the held one", got)
	}

	m.publish(append(slices.Clone(second), deb{"alpha", "1.0-3", "all", ""}, deb{"held", "3.0", "all", ""})...)
	m.scan(p, book, 3) // two new candidates; the held one's former is superseded
	if got := book.state(topics.UpdateDetection, "held=2.0"); got != "1 [held 1.0 2.0 ./]" {
		t.Errorf("a superseded candidate is %s, want not required", got)
	}
	m.run("apt-get", "-qy", "install", "alpha")
	m.scan(p, book, 2) // installed; the version before it is another's matter
	m.run("apt-get", "-qy", "--allow-change-held-packages", "purge", "held")
	m.scan(p, book, 1)
	if got := book.state(topics.UpdateDetection, "held=3.0"); got != "1 [held  3.0 ./]" {
		t.Errorf("the candidate of a removed package is %s, want not required", got)
	}
	m.publish(second...)
	m.scan(p, book, 0) // installed stays installed though no list has it
}

// A scan changes nothing below the machine's root, whoever runs it.
func TestAScanChangesNothingOnTheMachine(t *testing.T) {
	m := newDebian(t)
	m.publish(first...)
	m.run("apt-get", "-qy", "install", "alpha", "held")
	m.publish(second...)
	for _, name := range []string{"pkgcache.bin", "srcpkgcache.bin"} { // apt would write them anew
		os.Remove(filepath.Join(m.root, "cache", name))
	}
	list := func() string { return m.run("find", m.root, "-printf", "%P %s %T@ %C@ %m %u\n") }
	before := list()
	p, book := m.packages()
	if result, err := p.Scan(t.Context()); err != nil || result.Required != 2 {
		t.Fatalf("scan says %+v, %v", result, err)
	}
	if after := list(); after != before {
		t.Errorf("the machine was\n%s and is\n%s", before, after)
	}
	if book.raised != 4 {
		t.Errorf("%d states were raised, want 4", book.raised)
	}
}

// A scan that fails is told with its code; what the scans before it found stands.
func TestAFailedScanIsTold(t *testing.T) {
	for _, tt := range []struct {
		name, code, why string
		damage          func(m *debian)
	}{
		{"no lists", "0x80248007", "run apt-get update", func(m *debian) {
			lists, _ := filepath.Glob(filepath.Join(m.root, "state", "lists", "*Packages"))
			for _, path := range lists {
				os.Remove(path)
			}
		}},
		{"sources that apt cannot read", "0x80004005", "sources",
			func(m *debian) { m.write("etc/sources.list", "no such thing\n") }},
		{"a broken package database", "0x80004005", "status",
			func(m *debian) { m.write("dpkg/status", "Package: alpha\nVersion\n") }},
		{"a marker that cannot be read", "0x80004005", "restart", func(m *debian) {
			m.write("reboot-required", "")
			if err := os.Mkdir(filepath.Join(m.root, "reboot-required.pkgs"), 0o755); err != nil {
				m.t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newDebian(t)
			m.publish(first...)
			m.run("apt-get", "-qy", "install", "alpha")
			m.publish(second...)
			p, book := m.packages()
			m.scan(p, book, 1)
			tt.damage(m)
			if result, err := p.Scan(t.Context()); err == nil {
				t.Fatalf("scan says %+v, want an error", result)
			}
			got := book.state(topics.UpdateScan, packageSource)
			if !strings.HasPrefix(got, "5 ["+tt.code+" ") || !strings.Contains(got, tt.why) {
				t.Errorf("the scan's state is %s, want 5 with %s and %q", got, tt.code, tt.why)
			}
			if got := book.state(topics.UpdateDetection, "alpha=1.0-2"); !strings.HasPrefix(got, "2 ") {
				t.Errorf("the update is %s, want required as before", got)
			}
		})
	}
}

// The system's marker makes the updates that asked for a restart wait for one, and its end makes them installed.
func TestAPendingRestartIsTold(t *testing.T) {
	m := newDebian(t)
	m.publish(first...)
	m.run("apt-get", "-qy", "install", "alpha", "beta", "beta:i386")
	p, book := m.packages()
	m.scan(p, book, 0)
	m.write("reboot-required", "*** System restart required ***\n")
	m.write("reboot-required.pkgs", "beta\nalpha\nbeta\nremoved-since\n")
	if got := m.scan(p, book, 2); got.Restart != 2 {
		t.Errorf("%d wait for a restart, want 2", got.Restart)
	}
	m.scan(p, book, 0)
	for _, name := range []string{"reboot-required", "reboot-required.pkgs"} {
		os.Remove(filepath.Join(m.root, name))
	}
	m.scan(p, book, 2)
	if got := book.state(topics.UpdateEnforcement, "beta=1:2.0-1"); got != "10 [beta 1:2.0-1]" {
		t.Errorf("after the restart the update is %s, want installed", got)
	}
	m.write("reboot-required", "") // nobody says for what
	m.scan(p, book, 1)
	if got := book.state(topics.UpdateEnforcement, restartSystem); got != "9 []" {
		t.Errorf("the system is %s, want waiting for a restart", got)
	}
	m.scan(p, book, 0)
}

// crowded is a notebook that takes no new topic.
type crowded struct{ *notebook }

func (c crowded) Raise(states ...cache.State) error {
	for _, s := range states {
		if _, known := c.states[topicOf(&s)]; !known {
			return fmt.Errorf("keep %d states: %w", len(states), cache.ErrFull)
		}
	}
	return c.notebook.Raise(states...)
}

// An agent whose store is full goes on with what it holds: it does not end over a scan, again and again.
func TestAScanOfAFullStoreIsAFailedScan(t *testing.T) {
	m := newDebian(t)
	m.publish(first...)
	m.run("apt-get", "-qy", "install", "alpha")
	m.publish(second...)
	p, book := m.packages()
	p.book = crowded{book}
	step := func() {
		t.Helper()
		if wait, err := p.step(t.Context()); err != nil || wait > scanRetryInterval {
			t.Errorf("the source ends with %v, or waits %v", err, wait)
		}
	}
	step()
	if book.raised != 0 {
		t.Errorf("%d states were raised into a full store", book.raised)
	}
	if err := book.Raise(p.scanState(topics.ScanCompleted)); err != nil { // it knows the scan's topic
		t.Fatal(err)
	}
	step()
	if got := book.state(topics.UpdateScan, packageSource); !strings.HasPrefix(got, fmt.Sprint(topics.ScanFailed)) ||
		!strings.Contains(got, cache.ErrFull.Error()) {
		t.Errorf("the scan's state is %s, want failed because the store is full", got)
	}
}
