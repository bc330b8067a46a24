package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
	"statewire/store"
	"statewire/store/storetest"
)

// tables is a mirror on the real engine, stepped by the test.
type tables struct {
	*bench
	*mirror
	db *store.Store
}

func newTables(t *testing.T) *tables {
	t.Helper()
	db := storetest.New(t)
	w := &tables{bench: newBench(t), db: db}
	w.begin()
	return w
}

// begin is another start of the mirror.
func (w *tables) begin() {
	w.t.Helper()
	var err error
	if w.mirror, err = newMirror(w.Manager, w.db); err != nil {
		w.t.Fatal(err)
	}
}

func (w *tables) sync() {
	w.t.Helper()
	if err := w.mirror.step(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *tables) exec(sql string) {
	w.t.Helper()
	if err := w.db.Conn().Exec(w.db.InsertContext(w.t.Context()), sql); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// rows are the rows of a query, as text.
func (w *tables) rows(sql string) (out []string) {
	w.t.Helper()
	err := w.db.EachRow(w.t.Context(), "SELECT concatWithSeparator(' ', "+sql, nil,
		func(scan func(...any) error) error {
			var row string
			err := scan(&row)
			out = append(out, row)
			return err
		})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *tables) equal(what string, got []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const (
	statusSQL = `substring(toString(ClientID), 35), toString(OnlineStatus), toString(ChannelType), toString(ServerID),
		toString(intDiv(toUnixTimestamp(LastStatusTime) - 1795903200, 60))) FROM SMS_CN_ClientStatus ORDER BY ClientID`
	presentQuery = `substring(toString(client_id), 35), toString(online_status), toString(session), toString(seq),
		CAST(reason, 'String'), address) FROM client_presence FINAL ORDER BY client_id`
	serversQuery = `B.ServerName, ifNull(toString(A.OnlineClients), 'NULL')) FROM Bgb_Server B
		LEFT JOIN dbo.v_BgbServerCurrent A ON A.ServerID = B.ServerID ORDER BY B.ServerName`
	historyQuery = `substring(toString(client_id), 35), toString(server_id), toString(session),
		toString(intDiv(toUnixTimestamp(from_time) - 1795903200, 60)), toString(intDiv(toUnixTimestamp(to_time) - 1795903200, 60)),
		CAST(reason, 'String')) FROM presence_history FINAL ORDER BY client_id, session, from_time`
)

func TestTheTablesSayWhatIsKnown(t *testing.T) {
	w := newTables(t)
	if err := w.tell(wire.ComponentMessage{Component: wire.ServerComponent, ID: 9800, Time: today,
		Text: "started"}); err != nil {
		t.Fatal(err)
	}
	byHTTP := on(2, 3, 1, 1)
	byHTTP.Channel, byHTTP.Why = wire.HTTP, "refused"
	w.load(full(1, on(1, 8, 1, 0), byHTTP), second(full(1, on(3, 4, 1, 2))))
	w.sync()
	w.equal("connected", w.rows(statusSQL), "01 1 0 1 0", "02 1 1 1 1", "03 1 0 2 2")
	w.equal("why by HTTP", w.rows("toString(channel_type), why) FROM client_presence FINAL WHERE why != ''"), "1 refused")
	w.equal("counts of the servers", w.rows(serversQuery), "push1 2", "push2 1")
	const reported = `server_name, toString(epoch), toString(silent),
		toString(intDiv(toUnixTimestamp(reported_time) - 1795903200, 60))) FROM notification_servers FINAL ORDER BY server_name`
	w.equal("servers", w.rows(reported), "push1 1 0 0", "push2 1 0 0")
	w.equal("history", w.rows(historyQuery))
	w.load(delta(2, off(1, 8, 2, 5, "closed")))
	w.sync()
	w.equal("one went", w.rows(statusSQL), "01 0 0 1 5", "02 1 1 1 1", "03 1 0 2 2")
	w.equal("counts of the servers", w.rows(serversQuery), "push1 1", "push2 1")
	w.equal("history", w.rows(historyQuery), "01 1 8 0 5 closed")
	w.pass(10 * time.Minute)
	w.sync()
	w.equal("both are silent", w.rows(presentQuery), "01 0 8 2 closed 10.0.0.7", "02 0 3 1 server_lost 10.0.0.7",
		"03 0 4 1 server_lost 10.0.0.7")
	w.equal("counts of the servers", w.rows(serversQuery), "push1 0", "push2 0")
	w.equal("servers", w.rows(reported), "push1 1 1 0", "push2 1 1 0")
	w.equal("messages", w.rows(`component, toString(message_id), event) FROM component_status ORDER BY time, message_id`),
		"SMS_NOTIFICATION_SERVER 9800 message", "SMS_NOTIFICATION_MANAGER 9812 message", "SMS_NOTIFICATION_MANAGER 9812 "+
			"message")
	w.equal("the query for the servers' counts, as it was printed", w.rows(`toString(n)) FROM (
		select B.ServerName, A.OnlineClients as "Online Clients", 1 AS n from Bgb_Server B
		left join dbo.v_BgbServerCurrent A on A.ServerID=B.ServerID order by 2)`), "1", "1")
}

// Nothing is written where nothing changed, and one insert where something did.
func TestNothingIsWrittenWhereNothingChanged(t *testing.T) {
	w := newTables(t)
	var rows []wire.Row
	for n := range 500 {
		rows = append(rows, on(n+1, 1, 1, 0))
	}
	w.load(full(1, rows...))
	w.sync()
	parts := func() (out []string) {
		return w.rows(`table, toString(count()), toString(max(max_block_number))) FROM system.parts
			WHERE database = currentDatabase() AND table != 'goose_db_version' AND active GROUP BY table ORDER BY table`)
	}
	before := parts()
	if len(before) != 2 || !strings.HasPrefix(before[0], "client_presence 1 ") {
		t.Errorf("parts %q, want one of clients and one of servers", before)
	}
	for v := range 3 {
		w.load(full(uint64(v+2), rows...))
		w.see(1, 1, rows...)
		w.checked = time.Time{}
		w.sync()
	}
	w.equal("the same again", parts(), before...)
	w.begin()
	w.sync()
	w.equal("after a restart of the mirror", parts(), before...)
}

func TestTheMirrorCatchesUp(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *tables)
	}{
		{"a kill between the insert and its mark", func(w *tables) {
			w.bench.see(1, 1, on(1, 9, 1, 3), on(4, 1, 1, 3))
			var waiting []waitingClient
			for id := range w.unmirrored {
				waiting = append(waiting, waitingClient{id, w.clients[id]})
			}
			if err := w.insertClients(w.t.Context(), waiting); err != nil {
				w.t.Fatal(err)
			}
			w.restart()
		}},
		{"the store was made anew", func(w *tables) {
			for _, table := range []string{"client_presence", "notification_servers"} {
				w.exec("TRUNCATE TABLE " + table)
			}
		}},
		{"the table alone was made anew", func(w *tables) { w.exec("TRUNCATE TABLE client_presence") }},
		{"it was away, and the process ended meanwhile", func(w *tables) {
			w.bench.see(1, 1, on(1, 9, 1, 3), on(4, 1, 1, 3))
			w.restart()
		}},
		{"an older copy of it was put back", func(w *tables) {
			w.bench.see(1, 1, on(5, 9, 1, 3))
			w.sync()
			w.exec("ALTER TABLE client_presence DELETE WHERE client_id = '" + id(5).String() +
				"' SETTINGS mutations_sync = 2")
		}},
		{"rows in the middle are gone", func(w *tables) {
			w.exec("ALTER TABLE client_presence DELETE WHERE client_id = '" + id(2).String() +
				"' SETTINGS mutations_sync = 2")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTables(t)
			w.load(full(1, on(1, 8, 1, 0), on(2, 3, 1, 1), on(3, 3, 1, 1)), delta(2, off(3, 3, 2, 4, "closed")))
			w.sync()
			c.do(w)
			w.begin()
			w.sync()
			var want []string
			for n := 1; n <= 5; n++ {
				if p, ok := w.Presence(id(n)); ok {
					want = append(want, fmt.Sprintf("%02d %d %d %d %s 10.0.0.7", n, store.Flag(p.Online), p.Session, p.Seq, p.Reason))
				}
			}
			w.equal("what is known", w.rows(presentQuery), want...)
			if servers := w.rows(serversQuery); len(servers) != 1 || !strings.HasPrefix(servers[0], "push1 ") {
				t.Errorf("servers %q", servers)
			}
			if len(w.unmirrored) > 0 {
				t.Errorf("%d clients still wait", len(w.unmirrored))
			}
		})
	}
}

// The state file is lost: what the tables know is taken over, and the next full report makes it true.
func TestALostStateFileIsMadeUpForByTheTables(t *testing.T) {
	w := newTables(t)
	w.load(full(1, on(1, 8, 1, 0), on(2, 3, 1, 1), on(3, 3, 1, 1)), delta(2, off(3, 3, 2, 4, "closed")))
	w.pass(10 * time.Minute)
	w.sync()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.cfg.Dir, stateFile)); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.begin()
	w.sync()
	w.load(full(3, on(1, 8, 1, 0)))
	w.sync()
	w.equal("what is known", w.rows(presentQuery), "01 1 8 1 signin 10.0.0.7", "02 0 3 1 server_lost 10.0.0.7",
		"03 0 3 2 closed 10.0.0.7")
	w.see(1, 1, on(2, 1, 1, 9))
	if work := w.work(1, 1, 0); !slices.Contains(work.Raise, wire.SessionOf{Client: id(2), Session: 4}) {
		t.Errorf("the sessions before are forgotten: %+v", work)
	}
}

// What a server says when the site stops is in the tables before the store closes, and a store that does not answer
// keeps nobody.
func TestTheTablesLearnThatTheServerStopped(t *testing.T) {
	w := newTables(t)
	w.load(full(1, on(1, 8, 1, 0)))
	w.sync()
	w.see(1, 1, off(1, 8, 2, 5, wire.OfflineStop))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.MirrorLast(gone, w.db); err == nil || len(w.unmirrored) != 1 {
		t.Errorf("a store that does not answer: %v, %d clients wait", err, len(w.unmirrored))
	}
	if err := w.MirrorLast(t.Context(), w.db); err != nil {
		t.Fatal(err)
	}
	w.equal("what is known", w.rows(presentQuery), "01 0 8 2 server_stopping 10.0.0.7")
}

// A client that was erased comes back into no table.
func TestAnErasedClientIsForgotten(t *testing.T) {
	for _, told := range []bool{true, false} {
		w := newTables(t)
		with := func(r wire.Row, certificate uint64) wire.Row {
			r.Certificate = certificate
			return r
		}
		w.load(full(1, on(1, 8, 1, 0), with(on(2, 3, 1, 1), 70)))
		w.sync()
		w.exec(fmt.Sprintf("INSERT INTO serial_floors (client_hash, last_serial, erased_time) VALUES ('%s', 1, now64(6))",
			hashOf(id(2))))
		w.exec("ALTER TABLE client_presence DELETE WHERE client_id = '" + id(2).String() + "' SETTINGS mutations_sync = 2")
		if told {
			w.see(1, 1, with(on(2, 4, 1, 2), 70)) // a time of being connected waits for the table
			if len(w.spans()) != 1 {
				t.Errorf("the history has %q", w.spans())
			}
			if err := w.Forget(t.Context(), []uuid.UUID{id(2)}); err != nil {
				t.Fatal(err)
			}
			w.load(full(2, on(1, 8, 1, 0), with(on(2, 4, 1, 2), 70))) // it was written before its server knew
			w.see(1, 1, with(off(2, 4, 2, 1, wire.OfflineRevoked), 70))
		}
		w.checked = time.Time{}
		w.sync()
		w.equal("the table", w.rows(presentQuery), "01 1 8 1 signin 10.0.0.7")
		if told {
			w.equal("its history", w.rows(historyQuery))
		}
		w.want("erased", 2, "unknown")
		w.see(1, 1, with(on(2, 1, 1, 9), 71))
		w.checked = time.Time{}
		w.sync()
		w.want("enrolled again", 2, "online 1 1.1 signin")
	}
}

// A kill between an insert of messages and its mark leaves one row of each.
func TestAMessageIsWrittenOnce(t *testing.T) {
	w := newTables(t)
	w.load(delta(1, on(1, 8, 1, 0)))
	w.pass(11 * time.Minute)
	_, waiting, err := some[wire.ComponentMessage](w.Manager.db, bucketMessages)
	if err != nil || len(waiting) == 0 {
		t.Fatal(waiting, err)
	}
	if err := w.insertMessages(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.begin()
	w.sync()
	w.equal("messages", w.rows("toString(message_id)) FROM component_status"), "9812")
	if got := w.messageIDs(); len(got) > 0 {
		t.Errorf("still waiting: %v", got)
	}
}

func TestTheHistoryIsKeptForItsTime(t *testing.T) {
	w := newTables(t)
	life := func() string {
		return w.rows("extract(create_table_query, 'TTL (.*) SETTINGS')) FROM system.tables " +
			"WHERE database = currentDatabase() AND name = 'presence_history'")[0]
	}
	if got := life(); !strings.Contains(got, "toDateTime(to_time) + toIntervalDay(90)") {
		t.Errorf("the table is made with %q", got)
	}
	w.Manager.cfg.History = 48*time.Hour + 30*time.Minute
	w.sync()
	if got := life(); !strings.Contains(got, "toDateTime(to_time) + toIntervalHour(48)") {
		t.Errorf("kept for %q, want 48 hours", got)
	}
	again := func() (n string) {
		return w.rows("toString(count())) FROM system.mutations WHERE database = currentDatabase() AND table = " +
			"'presence_history'")[0]
	}
	changes := again()
	w.begin()
	w.sync()
	if again() != changes {
		t.Error("a time of 48 hours and a half is applied with every look")
	}
	w.Manager.cfg.History = 0
	w.begin()
	w.sync()
	if got := life(); got != "" {
		t.Errorf("kept for %q, want for ever", got)
	}
}

// The mirror as it runs: a change is in the table within a second, also where the store was away first.
func TestAChangeIsInTheTableWithinASecond(t *testing.T) {
	w := newTables(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Mirror(ctx, w.db) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for i := range 2 {
		w.see(1, 1, on(1, uint64(8+i), 1, 0))
		began := time.Now()
		for len(w.rows(fmt.Sprintf("'x') FROM client_presence FINAL WHERE session = %d", 8+i))) == 0 {
			if time.Since(began) > 20*time.Second {
				t.Fatal("a change is not in the table")
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Logf("in the table after %v", time.Since(began))
	}
}
