// Package agenttest is what the tests of the agent and of those that run it share: a site in memory, alone or behind a
// listener, that knows exactly what came.
package agenttest

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

	"statewire/agent/transport"
	"statewire/internal/serials"
	"statewire/smx"
	"statewire/smx/policy"
)

// Site does in memory what a whole site does: it decodes reports, keeps the current states and knows which serials
// came. It is a way to a relay itself.
type Site struct {
	t       testing.TB
	decoder *smx.Decoder

	// Set before the site is used.
	Fault     func(attempt int) *transport.Answer // answers instead of the site, when it returns one
	PollFault func(poll int) *transport.PolicyAnswer
	Poison    func(body string) bool // refuses such a report for good

	// Guarded by Mu while clients run.
	Mu        sync.Mutex
	Document  []byte // the policy handed out to every client; nil = one that wants nothing
	Clients   map[smx.ClientID]*Client
	Reports   int
	Bytes     int
	Seen      map[TopicState]int      // messages by topic type and state
	Topics    map[uint32]int          // messages by topic type
	Digest    map[smx.ClientID][]byte // chain over a client's reports in order
	Times     []time.Time             // of every attempt
	Polls     []smx.Poll
	PollTimes []time.Time
}

// TopicState is a topic type and one of its states.
type TopicState [2]uint32

// Topic is what a state is about: of each topic only the latest state counts.
type Topic struct {
	Type uint32
	ID   string
}

// State is the latest state of a topic, as the site has it.
type State struct {
	TopicType uint32
	TopicID   string
	StateID   uint32
	Params    []string
	Serial    uint64 // 0 for an instant message
	Time      time.Time
}

// Client is what the site knows of one client.
type Client struct {
	Name     string
	States   map[Topic]State
	Came     map[uint64]bool
	SetAside []uint64
	Versions map[string]bool
}

// NewSite returns a site that knows nobody.
func NewSite(t testing.TB) *Site {
	return &Site{
		t: t, decoder: smx.NewDecoder(), Clients: map[smx.ClientID]*Client{}, Seen: map[TopicState]int{},
		Topics: map[uint32]int{}, Digest: map[smx.ClientID][]byte{},
	}
}

// Counted is a number of the site's, read while it works.
func (s *Site) Counted(n func() int) int {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return n()
}

// Post implements transport.Relay.
func (s *Site) Post(ctx context.Context, body []byte) transport.Answer {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.Times = append(s.Times, time.Now())
	if ctx.Err() != nil {
		return transport.Answer{Outcome: transport.Again, Err: ctx.Err()}
	}
	if s.Fault != nil {
		if answer := s.Fault(len(s.Times) - 1); answer != nil {
			return *answer
		}
	}
	if s.Poison != nil && s.Poison(string(body)) {
		return transport.Answer{Outcome: transport.Refused, Status: 400, Code: "bad_character"}
	}
	if err := s.Load(body); err != nil {
		return transport.Answer{Outcome: transport.Refused, Status: 400, Detail: err.Error()}
	}
	return transport.Answer{Outcome: transport.Accepted, Status: 202, Receipt: fmt.Sprint("r", len(s.Times))}
}

// Policy implements transport.Relay: the document, behind its checksum.
func (s *Site) Policy(ctx context.Context, poll smx.Poll, etag string) transport.PolicyAnswer {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.Polls = append(s.Polls, poll)
	s.PollTimes = append(s.PollTimes, time.Now())
	if ctx.Err() != nil {
		return transport.PolicyAnswer{Outcome: transport.Again, Err: ctx.Err()}
	}
	if s.PollFault != nil {
		if answer := s.PollFault(len(s.Polls) - 1); answer != nil {
			return *answer
		}
	}
	document := s.Document
	if document == nil {
		document = policy.Encode(policy.Document{Client: poll.Client})
	}
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(document))
	if tag == etag {
		return transport.PolicyAnswer{Outcome: transport.Idle, Status: 304}
	}
	return transport.PolicyAnswer{Outcome: transport.Accepted, Status: 200, Document: document, ETag: tag}
}

// Load takes a file in as a loader does.
func (s *Site) Load(data []byte) error {
	var batch smx.Batch
	if err := s.decoder.Decode(data, &batch); err != nil {
		return err
	}
	s.Bytes += len(data)
	for _, r := range batch.Reports {
		s.Reports++
		if s.Clients[r.Client] == nil {
			s.Clients[r.Client] = &Client{
				Name: r.NetBIOSName, States: map[Topic]State{}, Came: map[uint64]bool{}, Versions: map[string]bool{},
			}
		}
		s.Clients[r.Client].Versions[r.ClientVersion] = true
		sum := sha256.New()
		sum.Write(s.Digest[r.Client])
		sum.Write(data)
		s.Digest[r.Client] = sum.Sum(nil)
	}
	for i := range batch.Len() {
		m := batch.Message(i)
		s.Clients[batch.Reports[batch.Report[i]].Client].take(m)
		s.Seen[TopicState{m.TopicType, m.StateID}]++
		s.Topics[m.TopicType]++
	}
	for i := range batch.Bad {
		b := &batch.Bad[i]
		if c := s.Clients[batch.Reports[b.Report].Client]; b.HasSerial && !c.Came[b.Serial] {
			c.Came[b.Serial] = true
			c.SetAside = append(c.SetAside, b.Serial)
		}
	}
	return nil
}

// State is the latest of a topic.
func (c *Client) State(topicType uint32, id string) State { return c.States[Topic{topicType, id}] }

func (c *Client) take(m smx.Message) {
	t := Topic{m.TopicType, string([]byte(m.TopicID))}
	if m.Serial > 0 {
		c.Came[m.Serial] = true
	}
	if old, known := c.States[t]; known && old.Serial > m.Serial {
		return
	}
	params := []string{}
	for _, p := range m.Params {
		params = append(params, string([]byte(p)))
	}
	c.States[t] = State{TopicType: t.Type, TopicID: t.ID, StateID: m.StateID, Params: params, Serial: m.Serial,
		Time: m.Time.UTC()}
}

// Missing is the maximal runs of serials from first that did not come, up to the greatest that did.
func (c *Client) Missing(first uint64) []serials.Run {
	next := first
	var missing []serials.Run
	for _, serial := range slices.Sorted(maps.Keys(c.Came)) {
		if serial < first {
			continue
		}
		if serial > next {
			missing = append(missing, serials.Run{First: next, Last: serial - 1})
		}
		next = serial + 1
	}
	return missing
}

// ServeHTTP lets the site stand behind a real listener.
func (s *Site) ServeHTTP(w http.ResponseWriter, req *http.Request) {
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
