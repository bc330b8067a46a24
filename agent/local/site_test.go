package local

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/smx"
	"statewire/smx/policy"
)

// site does in memory what a whole site does: it decodes reports, keeps the current states and knows which serials came.
type site struct {
	t       testing.TB
	mu      sync.Mutex
	decoder *smx.Decoder
	clients map[smx.ClientID]*siteClient
	reports int
	bytes   int
	seen    map[siteState]int               // messages by topic type and state
	digest  map[smx.ClientID][]byte         // chain over a client's reports in order
	fault   func(attempt int) *agent.Answer // answers instead of the site, when it returns one
	times   []time.Time                     // of every attempt

	topics map[uint32]int         // messages by topic type
	poison func(body string) bool // refuses such a report for good

	policy    []byte // handed out to every client; nil = one that wants nothing
	polls     []smx.Poll
	pollTimes []time.Time
	pollFault func(poll int) *agent.PolicyAnswer
}

type siteState struct{ topicType, state uint32 }

// topic is what a state is about: of each topic only the latest state counts.
type topic struct {
	kind uint32
	id   string
}

func topicOf(s *cache.State) topic { return topic{s.TopicType, s.TopicID} }

// currentState is the latest state of a topic, as the site has it.
type currentState struct {
	TopicType uint32
	TopicID   string
	StateID   uint32
	Params    []string
	Serial    uint64 // 0 for an instant message
	Time      time.Time
}

// serialRange is a run of serials, both ends included.
type serialRange struct{ First, Last uint64 }

type siteClient struct {
	name     string
	states   map[topic]currentState
	came     map[uint64]bool
	setAside []uint64
	versions map[string]bool
}

func newSite(t testing.TB) *site {
	return &site{t: t, decoder: smx.NewDecoder(), clients: map[smx.ClientID]*siteClient{}, seen: map[siteState]int{}, digest: map[smx.ClientID][]byte{}, topics: map[uint32]int{}}
}

// counted is a number of the site's, read while it works.
func (s *site) counted(n func() int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return n()
}

// Post implements Relay.
func (s *site) Post(ctx context.Context, body []byte) agent.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, time.Now())
	if ctx.Err() != nil {
		return agent.Answer{Outcome: agent.Again, Err: ctx.Err()}
	}
	if s.fault != nil {
		if answer := s.fault(len(s.times) - 1); answer != nil {
			return *answer
		}
	}
	if s.poison != nil && s.poison(string(body)) {
		return agent.Answer{Outcome: agent.Refused, Status: 400, Code: "bad_character"}
	}
	if err := s.load(body); err != nil {
		return agent.Answer{Outcome: agent.Refused, Status: 400, Detail: err.Error()}
	}
	return agent.Answer{Outcome: agent.Accepted, Status: 202, Receipt: fmt.Sprint("r", len(s.times))}
}

// Policy implements Relay: the document in policies, behind its checksum.
func (s *site) Policy(ctx context.Context, poll smx.Poll, etag string) agent.PolicyAnswer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls = append(s.polls, poll)
	s.pollTimes = append(s.pollTimes, time.Now())
	if ctx.Err() != nil {
		return agent.PolicyAnswer{Outcome: agent.Again, Err: ctx.Err()}
	}
	if s.pollFault != nil {
		if answer := s.pollFault(len(s.polls) - 1); answer != nil {
			return *answer
		}
	}
	document := s.policy
	if document == nil {
		document = policy.Encode(policy.Document{Client: poll.Client})
	}
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(document))
	if tag == etag {
		return agent.PolicyAnswer{Outcome: agent.Idle, Status: 304}
	}
	return agent.PolicyAnswer{Outcome: agent.Accepted, Status: 200, Document: document, ETag: tag}
}

func (s *site) load(data []byte) error {
	var batch smx.Batch
	if err := s.decoder.Decode(data, &batch); err != nil {
		return err
	}
	s.bytes += len(data)
	for _, r := range batch.Reports {
		s.reports++
		if s.clients[r.Client] == nil {
			s.clients[r.Client] = &siteClient{name: r.NetBIOSName, states: map[topic]currentState{}, came: map[uint64]bool{}, versions: map[string]bool{}}
		}
		s.clients[r.Client].versions[r.ClientVersion] = true
		sum := sha256.New()
		sum.Write(s.digest[r.Client])
		sum.Write(data)
		s.digest[r.Client] = sum.Sum(nil)
	}
	for i := range batch.Len() {
		m := batch.Message(i)
		s.clients[batch.Reports[batch.Report[i]].Client].take(m)
		s.seen[siteState{m.TopicType, m.StateID}]++
		s.topics[m.TopicType]++
	}
	for i := range batch.Bad {
		b := &batch.Bad[i]
		if c := s.clients[batch.Reports[b.Report].Client]; b.HasSerial && !c.came[b.Serial] {
			c.came[b.Serial] = true
			c.setAside = append(c.setAside, b.Serial)
		}
	}
	return nil
}

func (c *siteClient) take(m smx.Message) {
	t := topic{m.TopicType, string([]byte(m.TopicID))}
	if m.Serial > 0 {
		c.came[m.Serial] = true
	}
	if old, known := c.states[t]; known && old.Serial > m.Serial {
		return
	}
	params := []string{}
	for _, p := range m.Params {
		params = append(params, string([]byte(p)))
	}
	c.states[t] = currentState{TopicType: t.kind, TopicID: t.id, StateID: m.StateID, Params: params, Serial: m.Serial, Time: m.Time.UTC()}
}

// missing is the maximal runs of serials from first that did not come, up to the greatest that did.
func (c *siteClient) missing(first uint64) []serialRange {
	next := first
	var missing []serialRange
	for _, serial := range slices.Sorted(maps.Keys(c.came)) {
		if serial < first {
			continue
		}
		if serial > next {
			missing = append(missing, serialRange{next, serial - 1})
		}
		next = serial + 1
	}
	return missing
}

// ServeHTTP lets the site stand behind a real listener.
func (s *site) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err == nil && req.Header.Get("Content-Encoding") == "gzip" {
		var unzipped *gzip.Reader
		if unzipped, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = io.ReadAll(unzipped)
		}
	}
	if err != nil || req.URL.Path != "/mp/reports" || req.Method != http.MethodPost {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	answer := s.Post(req.Context(), body)
	if answer.After > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(answer.After/time.Second)))
	}
	w.WriteHeader(answer.Status)
	fmt.Fprintf(w, `{"receipt":%q,"code":%q,"detail":%q}`, answer.Receipt, answer.Code, answer.Detail)
}
