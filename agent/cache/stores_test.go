package cache

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"statewire/internal/topics"
	"statewire/smx"
	"statewire/smx/policy"
)

func TestMain(m *testing.M) {
	liveInChild()
	goleak.VerifyTestMain(m)
}

// Priorities and topic types of the states in these tests.
const (
	urgentPriority = 0
	usualPriority  = 5
	latePriority   = 8
	topicDetection = 500
	topicScan      = 501
)

var testClient = smx.ClientID{1, 2, 3}

// contract is what both stores promise.
type contract interface {
	Put(states ...State) error
	Pending() (*Report, error)
	Pack(p Packing) (*Report, error)
	Halve(encode func(*Report) []byte) error
	Settle(end Settlement) error
	Policy() (PolicyState, error)
	Adopt(p PolicyState, request *policy.Resync) (begun bool, err error)
	Resend() error
	AcceptSerial(next uint64) error
	Summary() (Summary, error)
	Held(topicTypes ...uint32) ([]Held, error)
	Sent() ([]Sent, error)
	DeadLetters() ([]DeadLetter, error)
	Image() (Image, error)
	Restore(Image) error
	Continue(last uint64) error
	NextSession() (uint64, error)
	KeepSession(session uint64) error
}

// opened is a store under test. reopen is a restart: of the process where there is a disk, of nothing where there is
// none.
type opened struct {
	contract
	reopen func()
}

// eachStore runs a test of the contract on both stores.
func eachStore(t *testing.T, test func(t *testing.T, s *opened)) {
	t.Run("memory", func(t *testing.T) { test(t, openMemory()) })
	t.Run("file", func(t *testing.T) { test(t, openFile(t, t.TempDir(), Options{NoSync: true})) })
	t.Run("file, shared", func(t *testing.T) { test(t, openFile(t, t.TempDir(), Options{NoSync: true, Coalesce: true})) })
}

func openMemory() *opened {
	memory := NewMemory(0)
	memory.KeepSent(20)
	return &opened{contract: memory, reopen: func() {}}
}

func openFile(t testing.TB, folder string, o Options) *opened {
	if o.KeepSent == 0 {
		o.KeepSent = 20
	}
	path := filepath.Join(folder, "agent.db")
	var file *File
	s := &opened{}
	s.reopen = func() {
		if file != nil {
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if file, err = Open(path, o); err != nil {
			t.Fatal(err)
		}
		s.contract = file.Client(testClient)
	}
	s.reopen()
	t.Cleanup(func() { _ = file.Close() })
	return s
}

// texts is a report in short: serial, topic id and state of every message, and the completion's parameter.
func texts(report *Report) string {
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

var testPacking = Packing{
	Build:      func(r *Report) []byte { return []byte(texts(r)) },
	Completion: State{Message: smx.Message{TopicType: topics.Resync, StateID: topics.ResyncComplete, TopicID: "me"}},
	Time:       time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC),
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func put(t failer, s contract, states ...State) {
	t.Helper()
	if err := s.Put(states...); err != nil {
		t.Fatalf("put: %v", err)
	}
}

func packed(t failer, s contract, want string) *Report {
	t.Helper()
	return packedBy(t, s, testPacking, want)
}

func packedBy(t failer, s contract, p Packing, want string) *Report {
	t.Helper()
	report, err := s.Pack(p)
	if err != nil {
		t.Fatalf("pack: %v", err)
	}
	if got := texts(report); got != want {
		t.Fatalf("packed %q, want %q", got, want)
	}
	return report
}

func settle(t failer, s contract, outcome Outcome) {
	t.Helper()
	if err := s.Settle(Settlement{Outcome: outcome, Receipt: "r", File: "f", Code: "c",
		Time: testPacking.Time}); err != nil {
		t.Fatalf("settle: %v", err)
	}
}

func pending(t failer, s contract, want string) {
	t.Helper()
	report, err := s.Pending()
	if err != nil {
		t.Fatalf("pending: %v", err)
	}
	if got := texts(report); got != want {
		t.Fatalf("under way is %q, want %q", got, want)
	}
	if report != nil && string(report.Body) != want {
		t.Fatalf("its bytes are %q", report.Body)
	}
}

func detected(id string, state uint32) State {
	return State{Priority: usualPriority, Message: smx.Message{
		Time: time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC), TopicType: topicDetection, TopicID: id, TopicIDType: 3,
		StateID: state, Params: []string{"102"},
	}}
}

// summary is what the store holds, in numbers.
func summary(t interface{ Fatal(args ...any) }, s contract) Summary {
	sum, err := s.Summary()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// topic is what a state is about: of each topic only the latest state counts.
type topic struct {
	kind uint32
	id   string
}

func (s *State) topic() topic { return topic{s.TopicType, s.TopicID} }
