package fleet

import (
	"fmt"
	"slices"
	"testing"

	"statewire/agent/agenttest"
)

// site is a site in memory that holds what it got against what the fleet expects.
type site struct {
	*agenttest.Site
	t testing.TB
}

func newSite(t testing.TB) *site { return &site{agenttest.NewSite(t), t} }

// equal reports every difference between what the fleet expects and what the site has.
func (s *site) equal(expected []Expected) {
	s.t.Helper()
	if len(expected) == 0 {
		s.t.Fatal("the fleet expects nothing")
	}
	for i := range expected {
		s.equalClient(&expected[i])
	}
}

func (s *site) equalClient(e *Expected) {
	s.t.Helper()
	c := s.Clients[e.Client]
	if c == nil {
		if len(e.States) > 0 {
			s.t.Errorf("client %s is not at the site", e.Client)
		}
		return
	}
	if len(e.Unsettled) > 0 {
		s.t.Errorf("client %s has unsettled serials %v", e.Client, e.Unsettled)
	}
	if got, want := fmt.Sprint(c.Missing(e.FirstSerial)), fmt.Sprint(e.Missing()); got != want {
		s.t.Errorf("client %s: missing %s, want %s", e.Client, got, want)
	}
	slices.Sort(c.SetAside)
	if got, want := fmt.Sprint(c.SetAside), fmt.Sprint(slices.Sorted(slices.Values(e.SetAside))); got != want {
		s.t.Errorf("client %s: set aside %s, want %s", e.Client, got, want)
	}
	if c.Name != e.Name {
		s.t.Errorf("client %s is called %q, want %q", e.Client, c.Name, e.Name)
	}
	if len(c.States) != len(e.States) {
		s.t.Errorf("client %s has %d topics, want %d", e.Client, len(c.States), len(e.States))
	}
	for _, want := range e.States {
		if want.Params == nil {
			want.Params = []string{}
		}
		if got := c.State(want.TopicType, want.TopicID); fmt.Sprint(got) != fmt.Sprint(want) {
			s.t.Errorf("client %s topic %d %s:\n got %v\nwant %v", e.Client, want.TopicType, want.TopicID, got, want)
		}
	}
}
