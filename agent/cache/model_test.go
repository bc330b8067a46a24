package cache

import (
	"fmt"
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"statewire/internal/topics"
	"statewire/smx"
	"statewire/smx/policy"
)

// model is a client and its site in the plainest form: what the store holds against it must be the same.
type model struct {
	t      *rapid.T
	store  *opened
	latest map[topic]uint32            // state id of the latest state held
	site   map[topic]smx.Message       // by the greatest serial
	begun  map[uint64]map[topic]uint32 // first serial of an answer → what was held then
	serial uint64
	state  uint32
	number uint32
	done   int // completions at the site
}

// TestStoresAgreeWithTheModel drives both stores through random lives.
func TestStoresAgreeWithTheModel(t *testing.T) {
	for name, open := range map[string]func() *opened{
		"memory": openMemory,
		"file":   func() *opened { return openFile(t, t.TempDir(), Options{NoSync: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := &model{t: rt, store: open(), latest: map[topic]uint32{}, site: map[topic]smx.Message{},
					begun: map[uint64]map[topic]uint32{}}
				rt.Repeat(map[string]func(*rapid.T){
					"put": m.put, "pack": m.pack, "accept": m.accept, "refuse": m.refuse, "resync": m.resync,
					"restart": func(*rapid.T) { m.store.reopen() },
				})
				m.settleAll()
				m.compare()
			})
		})
	}
}

func (m *model) put(t *rapid.T) {
	m.state++
	s := detected(fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "topic")), m.state)
	s.TopicType = rapid.SampledFrom([]uint32{300, 500}).Draw(t, "type")
	s.Priority = rapid.SampledFrom([]int8{smx.NoPriority, urgentPriority, latePriority}).Draw(t, "priority")
	m.latest[s.topic()] = m.state
	put(m.t, m.store, s)
}

func (m *model) pack(t *rapid.T) {
	p := testPacking
	if rapid.Bool().Draw(t, "held") {
		p.Allow = func(topicType uint32) bool { return topicType != 300 }
	}
	m.packBy(p)
}

// packBy packs unless a report is under way; its serials are the next ones, without a gap.
func (m *model) packBy(p Packing) *Report {
	if m.pending() != nil {
		return nil
	}
	report, err := m.store.Pack(p)
	if err != nil {
		m.t.Fatal(err)
	}
	if report == nil {
		return nil
	}
	for _, s := range report.States {
		if m.serial++; s.Serial != m.serial {
			m.t.Fatalf("serial %d where %d is next", s.Serial, m.serial)
		}
	}
	return report
}

func (m *model) pending() *Report {
	report, err := m.store.Pending()
	if err != nil {
		m.t.Fatal(err)
	}
	return report
}

func (m *model) accept(*rapid.T) {
	report := m.pending()
	if report == nil {
		return
	}
	settle(m.t, m.store, Accepted)
	for _, s := range report.States {
		if s.TopicType == topics.Resync {
			m.completed(s)
		} else if s.Serial > m.site[s.topic()].Serial {
			m.site[s.topic()] = s.Message
		}
	}
}

// completed checks what a completion promises: whatever was held when the answer began, and still is, came since.
func (m *model) completed(s State) {
	first, err := strconv.ParseUint(s.Params[0], 10, 64)
	if err != nil || first > s.Serial {
		m.t.Fatalf("completion %d begins at %v", s.Serial, s.Params)
	}
	m.done++
	for topic := range m.begun[first] {
		if _, held := m.latest[topic]; held && m.site[topic].Serial < first {
			m.t.Fatalf("topic %v lies at the site under %d, the answer began at %d", topic, m.site[topic].Serial, first)
		}
	}
}

func (m *model) refuse(*rapid.T) {
	report := m.pending()
	switch {
	case report == nil:
	case len(report.States) > 1:
		if err := m.store.Halve(testPacking.Build); err != nil {
			m.t.Fatal(err)
		}
		if half := m.pending(); half.First != report.First || len(half.States) != (len(report.States)+1)/2 {
			m.t.Fatalf("half of %s is %s", texts(report), texts(half))
		}
	case report.States[0].TopicType != topics.Resync:
		settle(m.t, m.store, Refused)
		s := report.States[0]
		if m.latest[s.topic()] == s.StateID {
			delete(m.latest, s.topic())
		}
		for _, held := range m.begun {
			delete(held, s.topic()) // no answer brings it any more
		}
	}
}

func (m *model) resync(t *rapid.T) {
	m.number++
	next := rapid.Uint64Range(1, m.serial+9).Draw(t, "next")
	if _, err := m.store.Adopt(PolicyState{}, &policy.Resync{Number: m.number, NextSerial: next,
		Issued: testPacking.Time}); err != nil {
		m.t.Fatal(err)
	}
	m.serial = max(m.serial, next-1)
	m.begun[m.serial+1] = maps.Clone(m.latest)
}

func (m *model) settleAll() {
	for m.pending() != nil || m.packBy(testPacking) != nil {
		m.accept(nil)
	}
	if m.number > 0 && m.done == 0 {
		m.t.Fatal("a resync was never completed")
	}
}

func (m *model) compare() {
	held, err := m.store.Held()
	if err != nil {
		m.t.Fatal(err)
	}
	digest := uint64(0)
	for _, h := range held {
		at := m.site[h.topic()]
		if m.latest[h.topic()] != h.StateID || at.StateID != h.StateID || at.Serial != h.Serial || h.Place != AtRelay {
			m.t.Fatalf("held %+v; the site has %+v", h, at)
		}
		digest = smx.StateDigest(digest, smx.PayloadHash(&at))
	}
	sum := summary(m.t, m.store)
	if len(held) != len(m.latest) || sum.Unsent != 0 || sum.LastSerial != m.serial || sum.Digest != digest ||
		sum.Answering {
		m.t.Fatalf("%d held, %d known, %+v", len(held), len(m.latest), sum)
	}
}
