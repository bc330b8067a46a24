package notifier

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

func tlsClient(b *bed, m member) *tls.Conn {
	b.t.Helper()
	config := clientTLS(m)
	c := tls.Client(b.dial(), config)
	check(b.t, c.Handshake())
	return c
}

func uuids(members ...member) (ids []uuid.UUID) {
	for _, m := range members {
		ids = append(ids, m.id)
	}
	return ids
}

// Two machines with one identity take the session from each other. At the third time in ten minutes the newest stays
// and the other is told to stay away for 15 to 20 minutes; what it tries meanwhile takes nothing from anybody.
func TestCopiesOfAMachineAreToldToStayAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		one := b.online(m, 1, boot("one"))
		time.Sleep(time.Minute)
		two := b.online(m, 1, boot("two"))
		one.closed(wire.CloseReplaced)
		one = b.online(m, 2, boot("one"))
		two.closed(wire.CloseReplaced)
		b.is(m, true, "signin")
		two = b.online(m, 3, boot("two"))
		told := one.closed(wire.CloseDuplicate)
		if told.RetryAfter < 15*time.Minute || told.RetryAfter > 20*time.Minute+time.Second {
			t.Errorf("told to stay away for %v", told.RetryAfter)
		}
		b.is(m, true, "duplicate")

		time.Sleep(5 * time.Minute)
		again := b.connect(m)
		again.send(wire.SignIn, hello(m, 4, boot("one")))
		if told := again.closed(wire.CloseDuplicate); told.RetryAfter < 9*time.Minute || told.RetryAfter > 11*time.Minute {
			t.Errorf("then for %v", told.RetryAfter)
		}
		two.nothing()
		b.is(m, true, "duplicate")

		time.Sleep(11 * time.Minute)
		two.send(wire.KeepAlive, nil)
		two.expect(wire.KeepAliveAck)
		b.online(m, 5, boot("one")) // it may come, and is the newest
		two.closed(wire.CloseDuplicate)
		b.is(m, true, "duplicate")
		if n := strings.Count(b.log.String(), "identity_shared"); n != 1 {
			t.Errorf("logged %d times: it could fill the disk", n)
		}
	})
}

// A machine that was restarted is no copy, and one that reconnects is not, either.
func TestRestartsAreNoCopies(t *testing.T) {
	for _, tc := range []struct {
		name  string
		pause time.Duration
		boot  func(n int) string
		leave bool
	}{
		{"one run reconnects", time.Second, func(int) string { return "one" }, false},
		{"restarts seldom", 6 * time.Minute, func(n int) string { return string(rune('a' + n)) }, false},
		{"restarts that say good-bye", time.Second, func(n int) string { return string(rune('a' + n)) }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, newSite(t), true)
				m := b.site.enroll(t, "")
				var last *peer
				for n := range 8 {
					p := b.online(m, 1, boot(tc.boot(n)))
					if last != nil && !tc.leave {
						last.closed(wire.CloseReplaced)
					}
					last = p
					b.is(m, true, "signin")
					if tc.leave {
						p.send(wire.Close, wire.CloseMessage{Code: wire.CloseStopping}.Encode())
						p.closed(0)
					}
					time.Sleep(tc.pause)
				}
			})
		})
	}
}

// An hour after the last time, a client is one machine again.
func TestCopiesAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true, func(cfg *Config, _ *Deps) { cfg.OfflineAfter = 24 * time.Hour })
		m := b.site.enroll(t, "")
		for _, name := range []string{"a", "b", "a", "b"} {
			b.online(m, 1, boot(name))
		}
		before := b.is(m, true, "duplicate")
		time.Sleep(59 * time.Minute)
		b.is(m, true, "duplicate")
		time.Sleep(2 * time.Minute)
		if row := b.is(m, true, "signin"); row.Seq != before.Seq+1 || row.Session != before.Session {
			t.Errorf("%+v, then %+v", before, row)
		}
		time.Sleep(time.Second)
		if rows := b.desk.rows(m.id); rows[len(rows)-1].Reason != "signin" {
			t.Error("nobody is told")
		}
	})
}

// However many names copies give themselves, few are remembered.
func TestAttackCopiesTakeNoMemory(t *testing.T) {
	c := &copies{}
	for i := range 1000 {
		c.takeover(uuid.NewString(), "newest", time.Duration(i)*time.Millisecond)
	}
	if len(c.away) > bootsKept || len(c.takeovers) > takeoversAllowed {
		t.Errorf("%d machines, %d times", len(c.away), len(c.takeovers))
	}
}

// When there are too many copies to remember, the one that was told first may come first.
func TestTheLastCopiesAreRemembered(t *testing.T) {
	c, now := &copies{}, time.Duration(0)
	for i := range 3 * bootsKept {
		now += time.Second
		c.takeover(fmt.Sprint(i), "newest", now)
	}
	for i := range 3 * bootsKept {
		if told := c.toldOff(fmt.Sprint(i), now) > 0; told != (i >= 2*bootsKept) {
			t.Errorf("machine %d of %d is to stay away: %v", i, 3*bootsKept, told)
		}
	}
}
