package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"statewire/agent/cache"
	"statewire/internal/serials"
	"statewire/smx"
)

// SiteState is what a site holds of one topic of a client.
type SiteState struct {
	TopicType   uint32
	TopicID     string
	StateID     uint32
	Params      []string
	Time        time.Time
	Serial      uint64
	Hash        uint64 // smx.PayloadHash
	Unconfirmed bool   // the site says that the client did not confirm it in its last resync
}

// SiteClient is what a site holds of one client.
type SiteClient struct {
	States []SiteState   // numbered states without those of topic type 700, by topic type, then id
	Ranges []serials.Run // that are missing, as of the last gap check
}

// DifferenceKind is how a site and a client disagree.
type DifferenceKind string

// The kinds of Difference.
const (
	Unsent      DifferenceKind = "unsent"       // the client has not brought the state to the relay yet
	AbsentThere DifferenceKind = "not at site"  // the site knows nothing of the topic
	Differs     DifferenceKind = "differs"      // the site has another state of the topic
	OnlyThere   DifferenceKind = "only at site" // the client holds no state of the topic, and the site does not say so
	OpenRange   DifferenceKind = "range open"   // serials are missing
)

// Difference is one thing in which a site and a client disagree.
type Difference struct {
	Client    smx.ClientID
	Kind      DifferenceKind
	TopicType uint32 // of a topic
	TopicID   string
	Held      *cache.State // the client's; nil when it holds none
	Site      *SiteState   // the site's; nil when it has none
	Range     *serials.Run // that is open
}

// Verdict counts what a comparison looked at.
type Verdict struct {
	Clients     int // compared
	Topics      int // that clients hold
	Equal       int // of these, equal on the site
	Unconfirmed int // topics that only the site holds, marked so
	Differences int
}

// Compare compares what one client holds with what a site says of it, and adds to the verdict. A state is equal when
// its payload is: time, topic, state, parameters, details and user. Serials may differ.
func (v *Verdict) Compare(client smx.ClientID, held []cache.Held, site SiteClient) (found []Difference) {
	v.Clients++
	states := site.States
	for i := range held {
		h := &held[i]
		if h.Instant {
			continue
		}
		v.Topics++
		for len(states) > 0 && topicOf(&states[0]).compare(heldTopic(h)) < 0 {
			found = v.onlyThere(client, &states[0], found)
			states = states[1:]
		}
		var there *SiteState
		if len(states) > 0 && topicOf(&states[0]) == heldTopic(h) {
			there, states = &states[0], states[1:]
		}
		kind := judgeState(h, there)
		if kind == "" {
			v.Equal++
			continue
		}
		found = append(found, Difference{Client: client, Kind: kind, TopicType: h.TopicType, TopicID: h.TopicID,
			Held: &h.State, Site: there})
	}
	for i := range states {
		found = v.onlyThere(client, &states[i], found)
	}
	for i := range site.Ranges {
		found = append(found, Difference{Client: client, Kind: OpenRange, Range: &site.Ranges[i]})
	}
	v.Differences += len(found)
	return found
}

// judgeState is how a held state and the site's differ; empty when they do not.
func judgeState(h *cache.Held, there *SiteState) DifferenceKind {
	switch {
	case h.Place != cache.AtRelay:
		return Unsent
	case there == nil:
		return AbsentThere
	case there.Hash != smx.PayloadHash(&h.Message), there.StateID != h.StateID, !slices.Equal(there.Params, h.Params),
		!there.Time.Equal(h.Time.Truncate(time.Millisecond)):
		return Differs
	}
	return ""
}

// onlyThere takes a topic that only the site holds.
func (v *Verdict) onlyThere(client smx.ClientID, s *SiteState, found []Difference) []Difference {
	if s.Unconfirmed {
		v.Unconfirmed++
		return found
	}
	return append(found, Difference{Client: client, Kind: OnlyThere, TopicType: s.TopicType, TopicID: s.TopicID, Site: s})
}

// topicKey is what a state is about: of each topic only the latest state counts.
type topicKey struct {
	kind uint32
	id   string
}

func (t topicKey) compare(o topicKey) int {
	return cmp.Or(cmp.Compare(t.kind, o.kind), cmp.Compare(t.id, o.id))
}

func topicOf(s *SiteState) topicKey    { return topicKey{s.TopicType, s.TopicID} }
func heldTopic(h *cache.Held) topicKey { return topicKey{h.TopicType, h.TopicID} }

// String says in one line what differs.
func (d *Difference) String() string {
	switch d.Kind {
	case OpenRange:
		return fmt.Sprintf("serials %d to %d are missing", d.Range.First, d.Range.Last)
	case OnlyThere:
		return fmt.Sprintf("the site has %s, the client holds nothing", d.Site)
	case AbsentThere, Unsent:
		return fmt.Sprintf("the client holds %s", heldText(d.Held))
	}
	return fmt.Sprintf("the client holds %s, the site has %s", heldText(d.Held), d.Site)
}

func heldText(s *cache.State) string { return stateText(s.StateID, s.Params, s.Time, s.Serial) }

// String writes the state for a person.
func (s *SiteState) String() string { return stateText(s.StateID, s.Params, s.Time, s.Serial) }

func stateText(state uint32, params []string, at time.Time, serial uint64) string {
	text := fmt.Sprintf("state %d", state)
	if len(params) > 0 {
		text += fmt.Sprintf(" %q", params)
	}
	return fmt.Sprintf("%s of %s as serial %d", text, at.UTC().Format("2006-01-02T15:04:05.000Z"), serial)
}
