package channel

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/notifier/wire"
)

// said is a link on which a server has said something.
type said struct {
	link
	session uint64
	pings   int
}

func (s *said) facts() facts           { return facts{transport: "TCP", server: push, meter: newMeter(time.Now)} }
func (s *said) raise(session uint64)   { s.session = session }
func (s *said) ping() error            { s.pings++; return nil }
func (s *said) received() <-chan frame { return nil }

// Whatever a server says, the client's session never falls, it polls once at most, and a connection ends with a reason.
func FuzzWhatAServerSays(f *testing.F) {
	s := &site{}
	f.Add(s.confirm(812))
	f.Add(append(wire.AppendFrame(nil, wire.Wake, nil), wire.AppendFrame(nil, wire.Wake, nil)...))
	f.Add(goodbye(wire.CloseWrongServer, "push2.example:10123", time.Minute))
	f.Add(wire.AppendFrame(nil, wire.KeepAlive, nil))
	f.Add(wire.AppendFrame(nil, 200, []byte("later")))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		synctest.Test(t, func(t *testing.T) {
			store, wakes := cache.NewMemory(0), 0
			before, err := store.NextSession()
			if err != nil {
				t.Fatal(err)
			}
			c := New(Deps{Client: uuid.New(), Sessions: store, Log: quiet, Wake: func() { wakes++ },
				Addresses: func() Addresses { return Addresses{} }})
			defer c.waker.stop()
			l := &said{}
			a := &attendance{c: c}
			a.take(l, Addresses{})
			for r := bytes.NewReader(stream); ; {
				kind, payload, err := wire.ReadFrame(r, wire.MaxFrame)
				if err != nil {
					break
				}
				if over := a.hear(frame{kind, payload}); over != nil {
					if over.err == nil || over.err.Error() == "" || c.pause(*over) > 24*time.Hour {
						t.Errorf("it ends with %v", over.err)
					}
					break
				}
			}
			after, err := store.NextSession()
			if err != nil || after <= before || wakes > 1 {
				t.Errorf("session %d after %d, %v; %d wakes", after, before, err, wakes)
			}
			frames, err := readFrames(stream)
			if err == nil {
				_, _ = c.confirmed(append(frames, frame{kind: wire.Wake})[0], before)
			}
		})
	})
}
