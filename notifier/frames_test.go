package notifier

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"statewire/notifier/wire"
)

// Whatever breaks the rules of frames ends its connection with the code of what it broke, and takes the client offline.
func TestAttackBrokenFramesEndTheConnection(t *testing.T) {
	frameOf := func(n uint32, rest ...byte) []byte { return append(binary.BigEndian.AppendUint32(nil, n), rest...) }
	for _, tc := range []struct {
		name string
		sent []byte
		code wire.CloseCode
		text string
	}{
		{"a frame of no bytes", frameOf(0, 3), wire.CloseBadFrame, "0 bytes"},
		{"one byte too long", frameOf(wire.MaxFrame+1, 3), wire.CloseBadFrame, "65537"},
		{"longer than any memory", frameOf(1<<32-1, 3), wire.CloseBadFrame, "4294967295"},
		{"a type that nobody knows", frameOf(1, 99), wire.CloseUnknownType, "type 99"},
		{"type 0", frameOf(1, 0), wire.CloseUnknownType, "type 0"},
		{"the last type that is not skipped", frameOf(1, 127), wire.CloseUnknownType, "type 127"},
		{"a second sign-in", wire.AppendFrame(nil, wire.SignIn, []byte("x")), wire.CloseBadFrame, "second sign-in"},
		{"what the server sends", wire.AppendFrame(nil, wire.Wake, nil), wire.CloseBadFrame, "type 11"},
		{"a confirmation", wire.AppendFrame(nil, wire.SignInConfirm, nil), wire.CloseBadFrame, "type 2"},
		{"a head that is cut", frameOf(1)[:3], wire.CloseBadFrame, "10 seconds"},
		{"a payload that is cut", frameOf(100, 3, 'x'), wire.CloseBadFrame, "10 seconds"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, newSite(t), true)
				m := b.site.enroll(t, "")
				p := b.online(m, 1)
				time.Sleep(time.Hour / 4)
				_, err := p.tls.Write(tc.sent)
				check(t, err)
				if got := p.closed(tc.code); !strings.Contains(got.Text, tc.text) {
					t.Errorf("told %q", got.Text)
				}
				b.is(m, false, "closed")
			})
		})
	}
}

// A frame that trickles in ends the connection ten seconds after its first byte, however lively it trickles.
func TestAttackTrickledFramesAreCutOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		p := b.online(b.site.enroll(t, ""), 1)
		began := time.Now()
		for _, c := range wire.AppendFrame(nil, wire.Response, bytes.Repeat([]byte("x"), 100)) {
			if _, err := p.tls.Write([]byte{c}); err != nil {
				break
			}
			time.Sleep(time.Second)
			if len(p.frames) > 0 {
				break
			}
		}
		p.closed(wire.CloseBadFrame)
		if took := time.Since(began); took < 10*time.Second || took > 12*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// A frame that came in time is followed by any silence that presence allows.
func TestAFrameInPiecesIsAFrame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		for _, whole := range [][]byte{wire.AppendFrame(nil, wire.KeepAlive, nil),
			wire.AppendFrame(nil, 200, bytes.Repeat([]byte("x"), 60_000)), wire.AppendFrame(nil, wire.KeepAlive, []byte("x"))} {
			for _, piece := range [][]byte{whole[:2], whole[2:5], whole[5:]} {
				if len(piece) > 0 {
					_, err := p.tls.Write(piece)
					check(t, err)
					time.Sleep(4 * time.Second)
				}
			}
			time.Sleep(15 * time.Minute)
		}
		p.expect(wire.KeepAliveAck)
		p.expect(wire.KeepAliveAck)
		p.nothing()
		b.is(m, true, "signin")
	})
}

// Before its sign-in a connection is nobody's, and has ten seconds.
func TestAttackNothingCountsBeforeTheSignIn(t *testing.T) {
	for _, tc := range []struct {
		name string
		sent func(m, other member) []byte
		code wire.CloseCode
		text string
	}{
		{"a sign of life", func(_, _ member) []byte { return wire.AppendFrame(nil, wire.KeepAlive, nil) }, wire.CloseBadFrame,
			"type 3 before the sign-in"},
		{"a result", func(_, _ member) []byte { return wire.AppendFrame(nil, wire.Response, nil) }, wire.CloseBadFrame,
			"before the sign-in"},
		{"no document", func(_, _ member) []byte { return wire.AppendFrame(nil, wire.SignIn, []byte("<x/>")) },
			wire.CloseBadFrame, "root element"},
		{"a session beyond counting", func(m, _ member) []byte {
			return wire.AppendFrame(nil, wire.SignIn, hello(m, maxSession))
		}, wire.CloseBadFrame, "session"},
		{"another client's id", func(_, other member) []byte { return wire.AppendFrame(nil, wire.SignIn, hello(other, 1)) },
			wire.CloseNotYours, "GUID:"},
		{"silence", func(_, _ member) []byte { return nil }, 0, ""},
		{"skipped frames alone", func(_, _ member) []byte { return wire.AppendFrame(nil, 128, nil) }, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, newSite(t), true)
				m, other := b.site.enroll(t, ""), b.site.enroll(t, "")
				p := b.connect(m)
				began := time.Now()
				if sent := tc.sent(m, other); sent != nil {
					_, err := p.tls.Write(sent)
					check(t, err)
				}
				if got := p.closed(tc.code); !strings.Contains(got.Text, tc.text) {
					t.Errorf("told %q", got.Text)
				}
				if took := time.Since(began); took > 13*time.Second || tc.code == 0 && took < 10*time.Second {
					t.Errorf("after %v", took)
				}
				if b.row(m).Online || b.row(other).Online {
					t.Error("somebody is online")
				}
				time.Sleep(3 * time.Second)
				if b.metric("unsigned_connections", "") != 0 {
					t.Error("the connection is still counted")
				}
				if tc.code == 0 && b.metric("refused_total", "sign_in") != 1 {
					t.Error("it is not counted as refused")
				}
			})
		})
	}
}

// Skipped frames before a sign-in do no harm.
func TestFramesOfLaterVersionsAreSkipped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		p := b.connect(b.site.enroll(t, ""))
		p.send(128, []byte("later"))
		p.signIn(1)
	})
}

// Whoever speaks for another client is noted in the audit log, once an hour.
func TestAttackWhoSpeaksForAnotherIsNoted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m, other := b.site.enroll(t, ""), b.site.enroll(t, "")
		for range 3 {
			p := b.connect(m)
			p.send(wire.SignIn, hello(other, 1))
			p.closed(wire.CloseNotYours)
			time.Sleep(5 * time.Minute)
		}
		if n := b.notes.all(); len(n) != 1 || n[0].Caller.Client != m.id || n[0].Claimed != clientText(other.id) {
			t.Fatalf("noted %+v", n)
		}
		time.Sleep(time.Hour)
		p := b.connect(m)
		p.send(wire.SignIn, hello(other, 1))
		p.closed(wire.CloseNotYours)
		time.Sleep(2 * time.Second)
		if n := len(b.notes.all()); n != 2 {
			t.Errorf("noted %d times", n)
		}
		if n := strings.Count(b.log.String(), "another's id"); n != 2 {
			t.Errorf("logged %d times: it could fill the disk", n)
		}
	})
}

// Who spoke for another client while the audit log could not be reached is noted once it can.
func TestWhoSpeaksForAnotherIsNotedLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		b.notes.setAway(errAway)
		m, second, other := b.site.enroll(t, ""), b.site.enroll(t, ""), b.site.enroll(t, "")
		for _, m := range []member{m, second} {
			p := b.connect(m)
			p.send(wire.SignIn, hello(other, 1))
			p.closed(wire.CloseNotYours)
			time.Sleep(30 * time.Second)
		}
		b.notes.setAway(nil)
		time.Sleep(2 * time.Second)
		if n := b.notes.all(); len(n) != 2 || n[0].Caller.Client != m.id || n[1].Caller.Client != second.id {
			t.Errorf("noted %+v", n)
		}
	})
}

// A client that floods is told to stay away.
func TestAttackAFloodOfFramesEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		for range 2 { // a minute later it counts anew
			for range framesAllowed {
				p.send(200, nil)
			}
			time.Sleep(framesWindow + time.Second)
		}
		b.is(m, true, "signin")
		for range framesAllowed + 1 {
			p.send(200, nil)
		}
		if got := p.closed(wire.CloseLimit); got.RetryAfter < time.Minute {
			t.Errorf("told %+v", got)
		}
		if b.metric("refused_total", "frames") != 1 {
			t.Error("it is not counted")
		}
	})
}

// A client that does not read is cut off after ten seconds, and keeps nobody else from anything.
func TestAStuckPeerBlocksNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m, other := b.site.enroll(t, ""), b.site.enroll(t, "")
		stuck := tlsClient(b, m)
		_, err := stuck.Write(wire.AppendFrame(nil, wire.SignIn, hello(m, 1)))
		check(t, err)
		p := b.online(other, 1)
		b.is(m, true, "signin") // its confirmation waits to be read
		began := time.Now()
		time.Sleep(2 * time.Second)
		b.desk.works <- wire.Work{Number: 1, Wakes: uuids(m, other)}
		p.expect(wire.Wake)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("the other waited %v", took)
		}
		p.send(wire.KeepAlive, nil)
		p.expect(wire.KeepAliveAck)
		time.Sleep(time.Until(began.Add(11 * time.Second)))
		b.is(m, false, "closed")
		stuck.NetConn().Close()
	})
}

// What waits for a client that does not read is bounded.
func TestWhatWaitsForAClientIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		stuck := tlsClient(b, m)
		defer stuck.NetConn().Close()
		_, err := stuck.Write(wire.AppendFrame(nil, wire.SignIn, hello(m, 1)))
		check(t, err)
		synctest.Wait()
		session, _ := b.hub.session(m.id)
		taken := 0
		for session.link.send(make([]byte, 1<<10)) {
			if taken++; taken > maxUnsent>>10 {
				t.Fatal("no end")
			}
		}
		if taken < maxUnsent>>10-1 {
			t.Errorf("%d KiB were taken", taken)
		}
		synctest.Wait()
		b.is(m, false, "closed")
	})
}

// Whoever was told good-bye and sends on has as long as it takes to read it, and no longer.
func TestAttackAClosedConnectionEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		elder := b.online(m, 1)
		b.online(m, 2)
		elder.closed(wire.CloseReplaced)
		began := time.Now()
		for whole := wire.AppendFrame(nil, 200, []byte("xxxxx")); ; time.Sleep(500 * time.Millisecond) {
			if _, err := elder.tls.Write(whole[:7]); err != nil {
				break
			}
			if _, err := elder.tls.Write(whole[7:]); err != nil {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatal("it is still open")
			}
		}
		if took := time.Since(began); took > writeWithin+lingering+time.Second {
			t.Errorf("open for %v", took)
		}
	})
}

// How a connection breaks off says why its client is offline: a good-bye of its system, no answer to probes, or a cut.
func TestABrokenConnectionHasItsReason(t *testing.T) {
	broken := func(err error) error { return &net.OpError{Op: "read", Err: os.NewSyscallError("read", err)} }
	for err, want := range map[error]string{
		io.EOF:                       wire.OfflineClosed,
		io.ErrUnexpectedEOF:          wire.OfflineClosed,
		broken(syscall.ETIMEDOUT):    wire.OfflineSilent,
		broken(syscall.ECONNRESET):   wire.OfflineReset,
		broken(syscall.EHOSTUNREACH): wire.OfflineReset,
	} {
		if got, last := parting(err); got != want || last != nil {
			t.Errorf("%v is %q, not %q; told %q", err, got, want, last)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add(wire.AppendFrame(wire.AppendFrame(nil, wire.KeepAlive, nil), wire.Close, []byte("12345")))
	f.Fuzz(func(t *testing.T, body []byte) {
		var again []byte
		err := frames(body, func(k wire.Kind, payload []byte) error {
			again = wire.AppendFrame(again, k, payload)
			return nil
		})
		if !bytes.HasPrefix(body, again) || (err == nil) != (len(again) == len(body)) {
			t.Errorf("%q was read as %q: %v", body, again, err)
		}
		if err != nil {
			if _, last := parting(err); last == nil {
				t.Error("nobody is told of " + fmt.Sprint(err))
			}
		}
	})
}
