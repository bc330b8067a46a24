package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"statewire/store/storetest"
)

// TestTheAccountBalancesWhateverHappens loads reports with bad records again and again, mends, replays, drops and
// bounds them, and counts along.
func TestTheAccountBalancesWhateverHappens(t *testing.T) {
	s := newSite(t)
	seed := storetest.Seed(t)
	for n := range 12 {
		m := accountModel{TB: t, s: s, chance: rand.New(rand.NewPCG(seed, uint64(n))), client: 1_000 + n, next: 1}
		s.cfg.SetAsidePerHour = 3 * m.chance.IntN(2)
		l := s.loader()
		for range 5 {
			if m.chance.IntN(3) == 0 {
				s.restart()
				l, m.used = s.loader(), 0
			}
			m.step()
			if _, err := l.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.compare()
		}
	}
}

// accountModel is what the account must say of one client.
type accountModel struct {
	testing.TB
	s      *site
	chance *rand.Rand
	client int
	next   uint64
	used   int // of the hour's bound

	loaded, stored, duplicate, dropped int
	files                              []accountFile // that lie in corrupt
}

type accountFile struct {
	name string
	bad  int
}

func (m *accountModel) step() {
	what := []string{"load", "load", "load", "bad file", "replay", "mend", "drop"}[m.chance.IntN(7)]
	m.Logf("client %d: %s", m.client, what)
	switch what {
	case "load":
		m.load()
	case "bad file":
		m.s.drop(fmt.Sprintf("%d-%d-bad.SMX", m.client, m.next), []byte("<Report>"))
	case "replay":
		if f := m.draw(); f != nil {
			m.s.replay(f.name, nil)
		}
	case "mend":
		if f := m.draw(); f != nil {
			m.s.replay(f.name, mend(m.s.bad(f.name)))
			m.stored += f.bad
			f.bad = 0
		}
	case "drop":
		if f := m.draw(); f != nil {
			if _, err := Drop(context.Background(), m.s.dir, m.s.db, []string{f.name}, "ann", "why"); err != nil {
				m.Fatal(err)
			}
			m.dropped += f.bad
			f.bad = 0
		}
	}
}

func (m *accountModel) draw() *accountFile {
	var there []*accountFile
	for i := range m.files {
		if m.files[i].bad > 0 {
			there = append(there, &m.files[i])
		}
	}
	if len(there) == 0 {
		return nil
	}
	return there[m.chance.IntN(len(there))]
}

// load drops a report with some bad records.
func (m *accountModel) load() {
	n := 1 + m.chance.IntN(5)
	bad := m.chance.IntN(n + 1)
	var serials []uint64
	for i := range bad {
		serials = append(serials, m.next+uint64(i))
	}
	doc := badly(m.client, m.next, m.next+uint64(n)-1, serials...)
	m.next += uint64(n)
	name := fmt.Sprintf("%d-%d.SMX", m.client, m.next)
	m.s.drop(name, doc)
	m.loaded, m.stored = m.loaded+n, m.stored+n-bad
	if bad > 0 {
		if most := m.s.cfg.SetAsidePerHour; most > 0 && m.used >= most {
			m.dropped += bad
			return
		}
		m.used += bad
		m.files = append(m.files, accountFile{name + ".1.SMX", bad})
	}
}

func (m *accountModel) compare() {
	m.Helper()
	aside := 0
	for _, f := range m.files {
		aside += f.bad
		if _, err := m.s.dir.Bad(f.name); (err == nil) != (f.bad > 0) {
			m.Errorf("%s with %d records: %v", f.name, f.bad, err)
		}
	}
	want := fmt.Sprintf("%d,%d,%d,%d,%d", m.loaded, m.stored, m.duplicate, aside, m.dropped)
	if have := m.s.account(m.client); have != want {
		m.Errorf("the account is %s, want %s", have, want)
	}
}
