package fleet

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

type siteClient struct {
	name     string
	states   map[topicKey]ExpectedState
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

// Post implements agent.Relay.
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

// Policy implements agent.Relay: the document in policies, behind its checksum.
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
			s.clients[r.Client] = &siteClient{name: r.NetBIOSName, states: map[topicKey]ExpectedState{}, came: map[uint64]bool{}, versions: map[string]bool{}}
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
	t := topicKey{m.TopicType, string([]byte(m.TopicID))}
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
	c.states[t] = ExpectedState{TopicType: t.kind, TopicID: t.id, StateID: m.StateID, Params: params, Serial: m.Serial, Time: m.Time.UTC()}
}

// missing is the maximal runs of serials from first that did not come, up to the greatest that did.
func (c *siteClient) missing(first uint64) []SerialRange {
	next := first
	var missing []SerialRange
	for _, serial := range slices.Sorted(maps.Keys(c.came)) {
		if serial < first {
			continue
		}
		if serial > next {
			missing = append(missing, SerialRange{next, serial - 1})
		}
		next = serial + 1
	}
	return missing
}

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
	c := s.clients[e.Client]
	if c == nil {
		if len(e.States) > 0 {
			s.t.Errorf("client %s is not at the site", e.Client)
		}
		return
	}
	if len(e.Unsettled) > 0 {
		s.t.Errorf("client %s has unsettled serials %v", e.Client, e.Unsettled)
	}
	if got, want := fmt.Sprint(c.missing(e.FirstSerial)), fmt.Sprint(e.Missing()); got != want {
		s.t.Errorf("client %s: missing %s, want %s", e.Client, got, want)
	}
	slices.Sort(c.setAside)
	if got, want := fmt.Sprint(c.setAside), fmt.Sprint(slices.Sorted(slices.Values(e.SetAside))); got != want {
		s.t.Errorf("client %s: set aside %s, want %s", e.Client, got, want)
	}
	if c.name != e.Name {
		s.t.Errorf("client %s is called %q, want %q", e.Client, c.name, e.Name)
	}
	if len(c.states) != len(e.States) {
		s.t.Errorf("client %s has %d topics, want %d", e.Client, len(c.states), len(e.States))
	}
	for _, want := range e.States {
		if want.Params == nil {
			want.Params = []string{}
		}
		if got := c.states[topicKey{want.TopicType, want.TopicID}]; fmt.Sprint(got) != fmt.Sprint(want) {
			s.t.Errorf("client %s topic %d %s:\n got %v\nwant %v", e.Client, want.TopicType, want.TopicID, got, want)
		}
	}
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
