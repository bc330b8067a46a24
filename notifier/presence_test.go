package notifier

import (
	"crypto/tls"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// bubble runs a test in which time passes as soon as everybody waits.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run("", func(t *testing.T) { synctest.Test(t, test) })
}

// A client is online from its sign-in on, and the manager knows it within a second.
func TestASignInIsToldAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		began := time.Now().UTC()
		got := b.connect(m).signIn(7)
		if got.Session != 7 || got.ServerID != 1 || got.Epoch != 1 || got.KeepAlive != 15*time.Minute {
			t.Errorf("confirmed %+v", got)
		}
		time.Sleep(time.Second)
		rows := b.desk.rows(m.id)
		want := wire.Row{Client: m.id, Online: true, Session: 7, Seq: 1, Since: began, Last: began, Address: "pipe",
			Reason: "signin", Certificate: b.site.caller(t, m).Number}
		if len(rows) != 1 || rows[0] != want {
			t.Errorf("told %+v, not %+v", rows, want)
		}
		if n := b.metric("clients", "tcp"); n != 1 {
			t.Errorf("%v clients are counted", n)
		}
	})
}

// Each way to go offline has its reason, and no client stays online without a connection.
func TestI26AClientIsOfflineForAReason(t *testing.T) {
	for _, tc := range []struct {
		name   string
		leave  func(*bed, *peer)
		within time.Duration
		reason string
		code   wire.CloseCode
	}{
		{"it says good-bye", func(_ *bed, p *peer) {
			p.send(wire.Close, wire.CloseMessage{Code: wire.CloseStopping, Text: "shut down"}.Encode())
		}, time.Second, "closed", 0},
		{"its system closes the connection", func(_ *bed, p *peer) { p.raw.Close() }, time.Second, "closed", 0},
		{"it falls silent", func(*bed, *peer) {}, 20*time.Minute + 10*time.Second, "silent", 0},
		{"it is revoked", func(b *bed, p *peer) { b.site.revoke(b.t, p.m) }, 30 * time.Second, "revoked", wire.CloseRevoked},
		{"the server stops", func(b *bed, _ *peer) { b.stop() }, time.Second, "server_stopping", wire.CloseStopping},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, newSite(t), true)
				m := b.site.enroll(t, "")
				p := b.online(m, 1)
				time.Sleep(time.Second)
				at := time.Now()
				tc.leave(b, p)
				if tc.within > time.Minute { // not before its time, either
					time.Sleep(tc.within - 11*time.Second)
					b.is(m, true, "signin")
				}
				for b.row(m).Online && time.Since(at) <= tc.within {
					time.Sleep(100 * time.Millisecond)
				}
				row := b.is(m, false, tc.reason)
				if row.Session != 1 || row.Seq != 2 || row.Last.Sub(at).Abs() > time.Second {
					t.Errorf("the row is %+v", row)
				}
				p.closed(tc.code)
				time.Sleep(time.Second)
				if rows := b.desk.rows(m.id); len(rows) != 2 || rows[1] != row {
					t.Errorf("told %+v", rows)
				}
				if b.metric("clients", "tcp") != 0 || b.metric("sessions_ended_total", tc.reason) != 1 {
					t.Error("it is not counted out")
				}
			})
		})
	}
}

// A byte of any frame is a sign of life.
func TestI26KeepAlivesKeepAClientOnline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		for range 5 {
			time.Sleep(15 * time.Minute)
			p.send(wire.KeepAlive, nil)
			if len(p.expect(wire.KeepAliveAck)) != 0 {
				t.Error("the answer holds something")
			}
		}
		time.Sleep(15 * time.Minute)
		p.send(200, []byte("of a later version"))
		time.Sleep(19 * time.Minute)
		row := b.is(m, true, "signin")
		if since := time.Since(row.Last); since < 19*time.Minute || since > 20*time.Minute {
			t.Errorf("last heard %v ago", since)
		}
	})
}

// While the process stands still nobody can be heard, and nobody counts as silent for it. Who says nothing afterwards
// does.
func TestAServerThatStoodStillKeepsItsClients(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		lively, silent := b.site.enroll(t, ""), b.site.enroll(t, "")
		p := b.online(lively, 1)
		q := b.online(silent, 1)
		time.Sleep(14 * time.Minute)
		b.steady.skip(-15 * time.Minute) // as after a stop of a quarter of an hour: the clock went on
		b.sweep(15 * time.Minute)
		time.Sleep(time.Minute)
		p.send(wire.KeepAlive, nil)
		p.expect(wire.KeepAliveAck)
		p.nothing()
		b.is(lively, true, "signin")
		b.is(silent, true, "signin")
		time.Sleep(6 * time.Minute)
		b.is(silent, false, "silent")
		b.is(lively, true, "signin")
		q.closed(0)
	})
}

// A byte that is read before the server knows that it stood still counts as read now, and no later.
func TestAByteReadAfterAStopIsNotOfTheFuture(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		b.online(m, 1)
		session, _ := b.hub.session(m.id)
		session.hear(b.steady.now() + 15*time.Minute)
		b.sweep(0)
		time.Sleep(20*time.Minute + 20*time.Second)
		b.is(m, false, "silent")
	})
}

// The latest sign-in wins, and a client never has two sessions.
func TestTheElderSessionIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		elder := b.online(m, 5)
		newer := b.connect(m)
		if got := newer.signIn(5); got.Session != 6 {
			t.Errorf("session %d was confirmed", got.Session)
		}
		elder.closed(wire.CloseReplaced)
		time.Sleep(10 * time.Second) // the elder's end says nothing of the client
		row := b.is(m, true, "signin")
		if row.Session != 6 || row.Seq != 1 {
			t.Errorf("the row is %+v", row)
		}
		for _, row := range b.desk.rows(m.id) {
			if !row.Online {
				t.Errorf("told %+v", row)
			}
		}
		if n := b.metric("clients", "tcp"); n != 1 {
			t.Errorf("%v clients are counted", n)
		}
		if got := b.connect(m).signIn(90); got.Session != 90 {
			t.Errorf("session %d was confirmed", got.Session)
		}
	})
}

// What the manager knows of another server's sessions decides: the client counts on from there, or its session ends.
func TestTheManagerRaisesAndEndsSessions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 3)
		b.desk.works <- wire.Work{Number: 1, Raise: []wire.SessionOf{{Client: m.id, Session: 40}}}
		again, err := wire.DecodeSignInConfirm(p.expect(wire.SignInConfirm))
		check(t, err)
		row := b.is(m, true, "signin")
		if again.Session != 40 || row.Session != 40 || row.Seq != 1 {
			t.Errorf("confirmed %d, the row is %+v", again.Session, row)
		}
		b.desk.works <- wire.Work{Number: 2, Raise: []wire.SessionOf{{Client: m.id, Session: 20}},
			End: []wire.SessionOf{{Client: m.id, Session: 39}}}
		time.Sleep(time.Second)
		p.nothing()
		b.desk.works <- wire.Work{Number: 3, End: []wire.SessionOf{{Client: m.id, Session: 40}}}
		p.closed(wire.CloseReplaced)
		time.Sleep(time.Second)
		for _, row := range b.desk.rows(m.id) {
			if !row.Online {
				t.Errorf("told %+v, which is the other server's to say", row)
			}
		}
		if b.metric("clients", "tcp") != 0 {
			t.Error("the client is counted")
		}
	})
}

// A client that once lied about its session, or a copy of it that did, is seen after a restart like any other.
func TestAttackAGreatSessionIsCountedOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		b.online(m, maxSession-1).raw.Close()
		p := b.online(m, 2)
		if row := b.is(m, true, "signin"); row.Session != maxSession {
			t.Errorf("the row is %+v", row)
		}
		b.desk.works <- wire.Work{Number: 1, Raise: []wire.SessionOf{{Client: m.id, Session: maxSession + 7}}}
		p.expect(wire.SignInConfirm)
		if row := b.is(m, true, "signin"); row.Session != maxSession+7 {
			t.Errorf("the row is %+v: the manager does not believe it", row)
		}
		b.desk.works <- wire.Work{Number: 2, Raise: []wire.SessionOf{{Client: m.id, Session: maxCounted}}}
		time.Sleep(time.Second)
		p.nothing()
	})
}

// The number of the last work confirms it.
func TestWorkIsConfirmedByItsNumber(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		b.desk.works <- wire.Work{Number: 8}
		b.desk.works <- wire.Work{Number: 3} // of a manager that begins anew
		time.Sleep(2 * time.Minute)
		got := b.desk.got()
		if len(got) < 3 || got[0] != 0 || got[1] != 8 || got[2] != 3 || len(got) > 6 {
			t.Errorf("asked with %v", got)
		}
	})
}

// A manager that is away stops nothing: presence reaches it by the next report.
func TestAManagerThatIsAwayIsToldByReports(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		time.Sleep(2 * time.Minute)
		b.reports()
		b.desk.setAway(errAway)
		m := b.site.enroll(t, "")
		b.online(m, 1)
		time.Sleep(5 * time.Minute)
		all := b.reports()
		if len(all) != 1 || len(all[0].Rows) != 1 || all[0].Rows[0].Client != m.id {
			t.Errorf("reported %+v", all)
		}
		b.desk.mu.Lock()
		asked := len(b.desk.asks)
		b.desk.mu.Unlock()
		if asked > 40 {
			t.Errorf("asked %d times", asked)
		}
		b.desk.setAway(nil)
		time.Sleep(31 * time.Second)
		b.desk.works <- wire.Work{Number: 1, Wakes: []uuid.UUID{m.id}}
		time.Sleep(time.Second)
		if b.metric("wakes_total", "sent") != 1 {
			t.Error("it does not ask again")
		}
	})
}

// A manager that answers at once with nothing is asked once a second, and hears of thousands of changes within one.
func TestAManagerIsAskedAndToldWithinASecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		for range 90 {
			b.desk.works <- wire.Work{}
		}
		time.Sleep(10 * time.Second)
		if n := len(b.desk.got()); n < 9 || n > 12 {
			t.Errorf("asked %d times in ten seconds", n)
		}
		for i := range 2*seenAtOnce + 1 {
			b.teller.tell(wire.Row{Client: uuid.UUID{1, byte(i >> 8), byte(i)}})
		}
		time.Sleep(time.Second)
		b.desk.mu.Lock()
		defer b.desk.mu.Unlock()
		if n := len(b.desk.seen); n != 2*seenAtOnce+1 {
			t.Errorf("told of %d clients", n)
		}
	})
}

// Reports come every five minutes, also when nothing changed. The first is full, the others build on each other.
func TestReportsTellWhatChanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		b.desk.works <- wire.Work{Number: 9, Full: true} // as after every start
		time.Sleep(30 * time.Second)
		if early := b.reports(); len(early) > 0 {
			t.Fatalf("before anybody could come back: %+v", early)
		}
		one, two := b.site.enroll(t, ""), b.site.enroll(t, "")
		b.online(one, 1)
		p := b.online(two, 1)
		time.Sleep(29 * time.Second)
		first := b.reports()
		if len(first) != 1 || !first[0].Full || first[0].Version != 1 || first[0].Base != 0 || len(first[0].Rows) != 2 ||
			first[0].Online != 2 || first[0].TCP != 2 || first[0].HTTP != 0 || first[0].Server != "push1" ||
			first[0].ServerID != 1 || first[0].Epoch != 1 {
			t.Fatalf("the first is %+v", first)
		}
		time.Sleep(5 * time.Minute)
		second := b.reports()
		if len(second) != 1 || second[0].Full || second[0].Version != 2 || second[0].Base != 1 || len(second[0].Rows) != 0 ||
			second[0].Online != 2 {
			t.Fatalf("the second is %+v", second)
		}
		p.raw.Close()
		time.Sleep(5 * time.Minute)
		third := b.reports()
		if len(third) != 1 || third[0].Base != 2 || len(third[0].Rows) != 1 || third[0].Rows[0].Client != two.id ||
			third[0].Rows[0].Online || third[0].Online != 1 {
			t.Fatalf("the third is %+v", third)
		}
		time.Sleep(time.Minute)
		b.desk.works <- wire.Work{Number: 1, Full: true}
		time.Sleep(time.Minute)
		asked := b.reports()
		if len(asked) != 1 || !asked[0].Full || asked[0].Version != 4 || len(asked[0].Rows) != 1 {
			t.Fatalf("asked for a full one: %+v", asked)
		}
		b.stop()
		last := b.reports()
		if len(last) != 1 || last[0].Full || last[0].Base != 4 || len(last[0].Rows) != 1 ||
			last[0].Rows[0].Reason != "server_stopping" || last[0].Online != 0 {
			t.Fatalf("the last is %+v", last)
		}
	})
}

// A box that cannot be written is said, and what was to be told is told by the next report, which is full.
func TestAReportThatFailedIsToldByTheNextOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m, stays := b.site.enroll(t, ""), b.site.enroll(t, "")
		p := b.online(m, 1)
		b.online(stays, 1)
		time.Sleep(61 * time.Second)
		b.reports()
		check(t, b.Ready())
		check(t, os.RemoveAll(b.deps.Box))
		p.raw.Close()
		time.Sleep(5 * time.Minute)
		if err := b.Ready(); err == nil {
			t.Fatal("it is ready")
		}
		check(t, os.MkdirAll(b.deps.Box, 0o700))
		time.Sleep(5 * time.Minute)
		all := b.reports()
		if len(all) != 1 || !all[0].Full || all[0].Version != 3 || all[0].Base != 1 || len(all[0].Rows) != 2 {
			t.Fatalf("then %+v", all)
		}
		for _, row := range all[0].Rows {
			if row.Client == m.id && (row.Online || row.Reason != "closed") {
				t.Errorf("the row is %+v", row)
			}
		}
		check(t, b.Ready())
		if b.metric("presence_reports_total", "failed") != 1 || b.metric("presence_reports_total", "written") != 2 {
			t.Error("the reports are not counted")
		}
	})
}

// What an earlier run of the server did not finish is removed at the start, and what it finished stays.
func TestUnfinishedReportsAreRemoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		site := newSite(t)
		box := filepath.Join(site.dir, "bgb.box")
		check(t, os.MkdirAll(box, 0o700))
		for _, name := range []string{unfinished + "1234", "BgbAAAAAAAA.BOS", "note.txt"} {
			check(t, os.WriteFile(filepath.Join(box, name), []byte("<"), 0o600))
		}
		b := start(t, site, true)
		time.Sleep(time.Second)
		check(t, b.Ready())
		var left []string
		entries, err := os.ReadDir(box)
		check(t, err)
		for _, e := range entries {
			left = append(left, e.Name())
		}
		if want := []string{"BgbAAAAAAAA.BOS", "note.txt"}; !slices.Equal(left, want) {
			t.Errorf("the box has %q, not %q", left, want)
		}
	})
}

// A report of more clients than a file may have comes in parts of one version.
func TestALargeReportHasParts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		b.hub.mu.Lock()
		for i := range wire.MaxRows + 1 {
			id := uuid.UUID{1, byte(i >> 16), byte(i >> 8), byte(i)}
			now := time.Now().UTC()
			c := &client{row: wire.Row{Client: id, Online: false, Session: 1, Seq: 2, Since: now, Last: now, Reason: "closed"}}
			b.hub.clients[id] = c
			b.hub.changed[id] = struct{}{}
		}
		b.hub.mu.Unlock()
		time.Sleep(61 * time.Second)
		all := b.reports()
		if len(all) != 2 || all[0].Version != all[1].Version || all[0].Part != 1 || all[1].Part != 2 || all[1].Parts != 2 ||
			len(all[0].Rows) != wire.MaxRows || len(all[1].Rows) != 1 {
			t.Errorf("%d parts", len(all))
		}
	})
}

// Every start of a server has a greater epoch, also after a file that cannot be read.
func TestTheEpochGrowsWithEveryStart(t *testing.T) {
	dir := t.TempDir()
	for want := uint64(1); want <= 3; want++ {
		if got, err := nextEpoch(dir, time.Now()); err != nil || got != want {
			t.Fatalf("epoch %d: %v", got, err)
		}
	}
	check(t, os.WriteFile(dir+"/epoch", []byte("\x00\x00"), 0o600))
	got, err := nextEpoch(dir, time.Now())
	if err != nil || got <= 1_000_000_000 {
		t.Fatalf("epoch %d: %v", got, err)
	}
	if again, _ := nextEpoch(dir, time.Now()); again != got+1 {
		t.Errorf("epoch %d, then %d", got, again)
	}
	check(t, os.Remove(dir+"/epoch"))
	check(t, os.MkdirAll(dir+"/epoch/x", 0o700))
	for range 2 { // it can neither be read nor kept, and the site starts all the same
		if got, err := nextEpoch(dir, time.Now()); err == nil || got <= 1_000_000_000 {
			t.Errorf("epoch %d: %v", got, err)
		}
	}
	site := newSite(t)
	check(t, os.MkdirAll(site.dir+"/spool/epoch/x", 0o700))
	b := start(t, site, false)
	b.online(site.enroll(t, ""), 1)
	if !strings.Contains(b.log.String(), "is not counted") {
		t.Error("nobody is told")
	}
}

// However fast a client comes and goes, it has one session, and the counts are true.
func TestI26AFlapLeavesOneSession(t *testing.T) {
	b := start(t, newSite(t), false)
	m := b.site.enroll(t, "")
	var flaps sync.WaitGroup
	for i := range 6 {
		flaps.Go(func() {
			for n := range 12 {
				c, err := tls.Dial("tcp", b.listener.Addr().String(), clientTLS(m))
				if err != nil {
					t.Error(err)
					return
				}
				c.Write(wire.AppendFrame(nil, wire.SignIn, hello(m, uint64(n))))
				if (i+n)%3 > 0 {
					c.SetReadDeadline(time.Now().Add(5 * time.Second))
					io.ReadFull(c, make([]byte, wire.HeaderBytes))
				}
				c.NetConn().Close()
			}
		})
	}
	flaps.Wait()
	until(t, "all are read", func() bool { return b.metric("unsigned_connections", "") == 0 })
	last := b.online(m, 1)
	until(t, "one session is left", func() bool {
		return b.metric("clients", "tcp") == 1 && b.metric("unsigned_connections", "") == 0
	})
	row := b.is(m, true, "signin")
	if row.Session < 12 {
		t.Errorf("the row is %+v", row)
	}
	last.raw.Close()
	until(t, "none is left", func() bool { return b.metric("clients", "tcp") == 0 })
	row = b.is(m, false, "closed")
	until(t, "the manager knows", func() bool {
		rows := b.desk.rows(m.id)
		return len(rows) > 0 && rows[len(rows)-1] == row
	})
}
