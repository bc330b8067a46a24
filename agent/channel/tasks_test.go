package channel

import (
	"crypto/ed25519"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// book is a client's tasks as its channel sees them: it notes what it is told.
type book struct {
	mu        sync.Mutex
	held      []wire.Held
	requests  []string
	cancels   []string
	pushes    []uint64
	confirmed []uuid.UUID
	signed    []wire.SignedTime
	site      []time.Time
	connected int
	answers   []Answer
	more      chan struct{}
	request   func(envelope string) // told of every request
}

func newBook() *book { return &book{more: make(chan struct{}, 1)} }

func (b *book) do(fn func()) { b.mu.Lock(); defer b.mu.Unlock(); fn() }

func (b *book) Held() (held []wire.Held) { b.do(func() { held = b.held }); return held }
func (b *book) Request(push uint64, envelope []byte) {
	b.do(func() { b.requests, b.pushes = append(b.requests, string(envelope)), append(b.pushes, push) })
	if b.request != nil {
		b.request(string(envelope))
	}
}
func (b *book) Cancel(push uint64, envelope []byte) {
	b.do(func() { b.cancels, b.pushes = append(b.cancels, string(envelope)), append(b.pushes, push) })
}
func (b *book) Confirmed(ids []uuid.UUID)    { b.do(func() { b.confirmed = append(b.confirmed, ids...) }) }
func (b *book) SignedTime(s wire.SignedTime) { b.do(func() { b.signed = append(b.signed, s) }) }
func (b *book) SiteTime(t time.Time)         { b.do(func() { b.site = append(b.site, t) }) }
func (b *book) Connected()                   { b.do(func() { b.connected++ }) }
func (b *book) Answers() <-chan struct{}     { return b.more }
func (b *book) Take() (some []Answer) {
	b.do(func() {
		n := min(len(b.answers), 2)
		some, b.answers = b.answers[:n], b.answers[n:]
		if len(b.answers) > 0 {
			select {
			case b.more <- struct{}{}:
			default:
			}
		}
	})
	return some
}

func (b *book) say(answers ...Answer) {
	b.do(func() { b.answers = append(b.answers, answers...) })
	select {
	case b.more <- struct{}{}:
	default:
	}
}

func frameOf(kind wire.Kind, payload []byte) []byte { return wire.AppendFrame(nil, kind, payload) }

// told are the payloads of a kind that a site heard of its client.
func (s *site) told(kind wire.Kind) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.heard {
		if h.kind == kind {
			all = append(all, h.payload)
		}
	}
	return all
}

func withTasks(b *book) func(*Deps) { return func(d *Deps) { d.Tasks = b } }

// Over both transports tasks, cancellations and confirmations reach the client, and its answers the site.
func TestTasksGoBothWays(t *testing.T) {
	for _, http := range []bool{false, true} {
		bubble(t, func(t *testing.T, s *site) {
			b, id := newBook(), uuid.New()
			say := s.say
			if http {
				s.down[push] = refusedErr
				say = func(frames []byte) { s.mail <- frames }
			}
			s.start(withTasks(b))
			after(time.Minute)
			say(frameOf(wire.Request, wire.JoinPush(9, []byte("do"))))
			after(time.Second)
			say(frameOf(wire.Cancel, wire.JoinPush(12, []byte("leave it"))))
			after(time.Second)
			say(frameOf(wire.ResponseConfirm, wire.JoinTasks([]uuid.UUID{id})))
			after(time.Second)
			b.say(Answer{Kind: wire.Received, Payload: []byte("kept")}, Answer{Kind: wire.Response, Payload: []byte("done")},
				Answer{Kind: wire.Response, Payload: []byte("and this")})
			after(time.Minute)
			b.mu.Lock()
			defer b.mu.Unlock()
			if !slices.Equal(b.requests, []string{"do"}) || !slices.Equal(b.cancels, []string{"leave it"}) ||
				!slices.Equal(b.pushes, []uint64{9, 12}) || !slices.Equal(b.confirmed, []uuid.UUID{id}) {
				t.Errorf("over HTTP %v: the client was told %v, %v, %v, %v", http, b.requests, b.cancels, b.pushes, b.confirmed)
			}
			if kept, done := s.told(wire.Received), s.told(wire.Response); !slices.Equal(kept, []string{"kept"}) ||
				!slices.Equal(done, []string{"done", "and this"}) {
				t.Errorf("over HTTP %v: the site was told %v, %v", http, kept, done)
			}
			if b.connected != 1 || len(s.signedIn()) != 1 {
				t.Errorf("over HTTP %v: %d connections told, %d sign-ins", http, b.connected, len(s.signedIn()))
			}
		})
	}
}

// A sign-in tells of what is held, 500 at most, and each new one lets the client say again what is not confirmed.
func TestASignInTellsWhatIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		b := newBook()
		for range wire.MaxHeld + 1 {
			b.held = append(b.held, wire.Held{Task: uuid.New(), Step: "running"})
		}
		s.start(withTasks(b))
		after(time.Minute)
		s.cut()
		after(time.Minute)
		ins := s.signedIn()
		if len(ins) != 2 || len(ins[1].Held) != wire.MaxHeld || ins[1].Held[3] != b.held[3] || b.connected != 2 {
			t.Fatalf("%d sign-ins, the client was told of %d connections", len(ins), b.connected)
		}
	})
}

// The time that a key vouches for comes with the confirmation of a sign-in and with each answer to a keep-alive; the
// server's own comes with the confirmation.
func TestTheSitesTimeIsPassedOn(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		first := wire.SignTime(strings.Repeat("ab", 32), key, uuid.New(), time.Now())
		second := wire.SignTime(strings.Repeat("ab", 32), key, uuid.New(), time.Now().Add(time.Minute))
		at := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
		s.answer = func(m wire.SignInMessage) []byte {
			return frameOf(wire.SignInConfirm, wire.SignInConfirmMessage{Time: at, ServerID: 1, Epoch: 7,
				KeepAlive: s.keepAlive, Session: m.Session, SignedTime: first.Text()}.Encode())
		}
		s.ack = second.Encode()
		b := newBook()
		s.start(withTasks(b))
		after(16 * time.Minute)
		if !slices.Equal(b.signed, []wire.SignedTime{first, second}) || len(b.site) != 1 || !b.site[0].Equal(at) {
			t.Errorf("the client was told %v and %v", b.signed, b.site)
		}
	})
}

// Over HTTP each request names the greatest delivery that came.
func TestARequestNamesTheGreatestDelivery(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.down[push] = refusedErr
		var acks []string
		s.http = func(_ http.ResponseWriter, r *http.Request) bool {
			s.set(func() { acks = append(acks, r.Header.Get("Statewire-Ack")) })
			return false
		}
		s.start(withTasks(newBook()))
		after(time.Minute)
		s.mail <- append(frameOf(wire.Request, wire.JoinPush(9, []byte("a"))),
			frameOf(wire.Request, wire.JoinPush(4, []byte("b")))...)
		after(time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		if acks[0] != "0" || acks[len(acks)-1] != "9" {
			t.Errorf("requests named %v", acks)
		}
	})
}

// What a task answers at once goes with the next request: none is ended for it.
func TestAQuickAnswerEndsNoRequest(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.down[push] = refusedErr
		b := newBook()
		b.request = func(string) {
			b.say(Answer{Kind: wire.Received, Payload: []byte("kept")})
			time.AfterFunc(15*time.Millisecond, func() { b.say(Answer{Kind: wire.Response, Payload: []byte("done")}) })
		}
		s.start(withTasks(b))
		after(time.Minute)
		s.mu.Lock()
		dials := len(s.dials[host])
		s.mu.Unlock()
		s.mail <- frameOf(wire.Request, wire.JoinPush(9, []byte("a")))
		after(time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(s.dials[host]); n != dials {
			t.Errorf("the answers took %d connections", n-dials)
		}
	})
}

// Answers that are more than a relay takes at once go in several requests, in their order.
func TestManyAnswersGoInSeveralRequests(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.down[push] = refusedErr
		var most int64
		s.http = func(_ http.ResponseWriter, r *http.Request) bool {
			s.set(func() { most = max(most, r.ContentLength) })
			return false
		}
		b := newBook()
		s.start(withTasks(b))
		after(time.Minute)
		var want []string
		for i := range 20 {
			want = append(want, strings.Repeat(string(rune('a'+i)), 40<<10))
			b.say(Answer{Kind: wire.Response, Payload: []byte(want[i])})
		}
		after(5 * time.Minute)
		var got []string
		for _, text := range s.told(wire.Response) {
			if !slices.Contains(got, text) { // a request that was ended may have been heard, and is sent again
				got = append(got, text)
			}
		}
		if most > 4*wire.MaxFrame || !slices.Equal(got, want) {
			t.Errorf("%d answers came, of %d; the longest request has %d bytes", len(got), len(want), most)
		}
	})
}

// A delivery without an envelope and a confirmation that is cut break the rules: the connection ends.
func TestABadFrameAboutTasksEndsTheConnection(t *testing.T) {
	for _, bad := range [][]byte{frameOf(wire.Request, []byte("12345678")), frameOf(wire.Cancel, nil),
		frameOf(wire.ResponseConfirm, make([]byte, 15))} {
		bubble(t, func(t *testing.T, s *site) {
			b := newBook()
			s.start(withTasks(b))
			after(time.Minute)
			s.say(bad)
			after(time.Minute)
			if len(s.signedIn()) != 2 || len(b.pushes)+len(b.confirmed) > 0 {
				t.Errorf("%v: %d sign-ins, %v", bad, len(s.signedIn()), b.pushes)
			}
		})
	}
}
