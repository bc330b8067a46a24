package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"statewire/agent/cache"
	"statewire/internal/serials"
	"statewire/smx"
)

func TestCompareNoticesEveryDifference(t *testing.T) {
	at := time.Date(2026, 3, 11, 8, 0, 0, 123_000_000, time.UTC)
	state := func(kind uint32, id string) cache.State {
		return cache.State{Message: smx.Message{Time: at, Serial: 7, TopicType: kind, TopicID: id, StateID: 2,
			Params: []string{"102"}, Details: "why"}}
	}
	held := func(edit func(*cache.Held)) []cache.Held {
		h := []cache.Held{{State: state(402, "a"), Place: cache.AtRelay},
			{State: state(500, "a"), Place: cache.AtRelay}, {State: state(500, "b"), Place: cache.AtRelay}}
		if edit != nil {
			edit(&h[1])
		}
		return h
	}
	there := func(edit func(*SiteState)) SiteClient {
		var s SiteClient
		for _, h := range held(nil) {
			s.States = append(s.States, SiteState{TopicType: h.TopicType, TopicID: h.TopicID, StateID: h.StateID,
				Params: h.Params, Time: h.Time, Serial: h.Serial, Hash: smx.PayloadHash(&h.Message)})
		}
		if edit != nil {
			edit(&s.States[1])
		}
		return s
	}
	without := func(s SiteClient, i int) SiteClient {
		s.States = append(s.States[:i:i], s.States[i+1:]...)
		return s
	}
	for _, c := range []struct {
		name        string
		held        []cache.Held
		site        SiteClient
		kind        DifferenceKind // empty: equal
		says        string
		unconfirmed int
	}{
		{"equal", held(nil), there(nil), "", "", 0},
		{"another serial is no difference", held(nil), there(func(s *SiteState) { s.Serial = 99 }), "", "", 0},
		{"another state", held(nil), there(func(s *SiteState) { s.StateID = 3 }), Differs, "the site has state 3", 0},
		{"another parameter", held(nil), there(func(s *SiteState) { s.Params = []string{"103"} }), Differs, `["103"]`, 0},
		{"another time", held(nil), there(func(s *SiteState) { s.Time = at.Add(time.Millisecond) }), Differs,
			"08:00:00.124Z", 0},
		{"other details", held(func(h *cache.Held) { h.Details = "else" }), there(nil), Differs, "as serial 7", 0},
		{"the site lacks a topic", held(nil), without(there(nil), 1), AbsentThere, "the client holds state 2", 0},
		{"the site lacks the last topic", held(nil), without(there(nil), 2), AbsentThere, "the client holds state 2", 0},
		{"the site lacks the client", held(nil)[:1], SiteClient{}, AbsentThere, "the client holds state 2", 0},
		{"not sent yet", held(func(h *cache.Held) { h.Place = cache.Waits }), there(nil), Unsent, "the client holds", 0},
		{"in a report that the relay has not taken", held(func(h *cache.Held) { h.Place = cache.UnderWay }), there(nil),
			Unsent, "the client holds", 0},
		{"only the site holds a topic", append(held(nil)[:1:1], held(nil)[2]), there(nil), OnlyThere,
			"the site has state 2", 0},
		{"only the site holds the last topic", held(nil)[:2], there(nil), OnlyThere, "the client holds nothing", 0},
		{"only the site holds a topic, and says so", append(held(nil)[:1:1], held(nil)[2]),
			there(func(s *SiteState) { s.Unconfirmed = true }), "", "", 1},
		{"instant states are forgotten", append(held(nil), cache.Held{State: cache.State{Instant: true,
			Message: smx.Message{TopicType: 9003, TopicID: "x"}}}), there(nil), "", "", 0},
		{"a range is open", held(nil), SiteClient{there(nil).States, []serials.Run{{First: 3, Last: 4}}}, OpenRange,
			"serials 3 to 4 are missing", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v Verdict
			found := v.Compare(smx.ClientID{1}, c.held, c.site)
			if c.kind == "" {
				if len(found) > 0 || v.Equal != v.Topics || v.Unconfirmed != c.unconfirmed {
					t.Errorf("found %v, verdict %+v; want no difference", found, v)
				}
				return
			}
			if len(found) != 1 || v.Differences != 1 || found[0].Kind != c.kind ||
				found[0].Client != (smx.ClientID{1}) || !strings.Contains(found[0].String(), c.says) {
				t.Errorf("found %v, verdict %+v; want one %q that says %q", found, v, c.kind, c.says)
			}
			if c.kind != OpenRange && c.kind != OnlyThere && v.Equal != v.Topics-1 {
				t.Errorf("%d of %d topics are equal", v.Equal, v.Topics)
			}
		})
	}
}

func TestFaultsDependOnTheSeedAlone(t *testing.T) {
	cfg := testFleet(1)
	cfg.Reinstall, cfg.Restore, cfg.ClockJump = 0.05, 0.05, 0.1
	plan := func(seed uint64, from time.Duration) (text string, kinds map[faultKind]int) {
		cfg.Seed = seed
		f := makeFleet(t, cfg, newSite(t))
		kinds = map[faultKind]int{}
		for i := range 2000 {
			last := from
			for _, m := range f.planFaults(i, from, from+simulatedDay) {
				if m.at < last || m.at > from+simulatedDay {
					t.Errorf("client %d: fault %d at %v, after one at %v", i, m.kind, m.at, last)
				}
				last = m.at
				kinds[m.kind]++
				text += fmt.Sprint(i, m)
			}
		}
		return text, kinds
	}
	first, kinds := plan(1, 0)
	for kind, share := range map[faultKind]float64{reinstalled: 0.05, imaged: 0.05, restored: 0.05, clockJumped: 0.1} {
		if got := float64(kinds[kind]) / 2000; got < share*0.7 || got > share*1.4 {
			t.Errorf("fault %d happens to %v of the clients, want about %v", kind, got, share)
		}
	}
	if again, _ := plan(1, 0); again != first {
		t.Error("the same seed gave other faults")
	}
	if other, _ := plan(2, 0); other == first {
		t.Error("another seed gave the same faults")
	}
	if next, _ := plan(1, simulatedDay); next == first {
		t.Error("the next run has the same faults")
	}
}
