package resync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/audit"
	"statewire/collections"
	"statewire/internal/serials"
	"statewire/resync/gaps"
	"statewire/smx"
)

// withoutClients are the tables that hold nothing of one client, and why.
var withoutClients = map[string]string{
	"audit_heads": "what is done stays in the audit", "bad_files": "names of files", "catalog_loads": "the catalogue",
	"tasks":            "what a person asked for, as the audit has it; steps of the client go",
	"state_catalog":    "the catalogue",
	"collections":      "text of a person; whoever erases is told of queries that name the client",
	"component_status": "the site's own events", "goose_db_version": "migrations", "notification_servers": "servers",
	"policies": "by collection", "resync_checks": "counts", "resync_clock": "one row", "retention_notes": "settings",
	"serial_floors": "the hash of an id, on purpose", "store_events": "parts", "store_marks": "the store",
	"state_classes": "the classes of states", "class_loads": "the classes of states",
	"subject_now": "by topic id: one that is the client's own goes", "subjects_touched": "topic ids that others have",
	"summary_progress": "jobs", "subject_seen": "by topic id, as subject_now", "subject_counts": "by topic id, likewise",
	"topic_titles": "what topic ids are called, likewise",
	"subject_days": "by topic id, likewise", "subject_ttr": "by topic id, likewise", "class_days": "counts by kind and day",
}

// Every table of the schema holds nothing of one client, or a row of the client in it is erased. No column of any table
// has the id or the name of the client afterwards. Rows of others stay.
func TestAnErasedClientIsInNoTable(t *testing.T) {
	b := newBench(t, soon())
	b.denier = &denier{}
	b.check(CheckOptions{})
	gone, other := client(1), client(2)
	const name = "SECRET-PC-77"
	tables := map[string][]string{}
	err := b.db.EachRow(t.Context(), `SELECT c.table, groupArray(concat(c.name, ' ', c.type,
		if(c.default_kind = 'MATERIALIZED', ' made', ''))) FROM system.columns AS c
		INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
		WHERE c.database = currentDatabase() AND t.engine LIKE '%MergeTree' GROUP BY c.table`, nil,
		func(scan func(...any) error) error {
			var table string
			var columns []string
			err := scan(&table, &columns)
			tables[table] = columns
			return err
		})
	if err != nil || len(tables) < 40 {
		t.Fatal(err, tables)
	}
	for table, columns := range tables {
		names := []string{}
		for _, column := range columns {
			if column == "client_id UUID" {
				names = append(names, "client_id")
			} else if short, kind, _ := strings.Cut(column, " "); strings.HasSuffix(kind, "String") ||
				kind == "LowCardinality(String)" || short == "slot" || strings.Contains(kind, "DateTime64") &&
				!strings.Contains(kind, "arg") && !strings.HasSuffix(kind, "made") {
				names = append(names, short)
			}
		}
		if _, none := withoutClients[table]; slices.Contains(names, "client_id") == none {
			t.Errorf("is table %s, with columns %v, about clients? One that is needs a column client_id, by which they are "+
				"erased; one that is not is named in withoutClients", table, columns)
			continue
		}
		for _, c := range []smx.ClientID{gone, other} {
			values := []string{}
			for _, column := range names {
				switch {
				case strings.HasSuffix(column, "_time") || column == "last_received" || column == "until" || column == "time" ||
					column == "since" || column == "last_heard" || column == "last_scan" || column == "wrong_clock" ||
					column == "first_arrival" ||
					column == "first_seen" || column == "not_after":
					values = append(values, "now64(3)")
				case column == "slot":
					values = append(values, fmt.Sprint(c[15]))
				case column == "client_id":
					values = append(values, "'"+c.UUID()+"'")
				case column == "topic_id":
					values = append(values, "'"+c.String()+"'")
				default:
					values = append(values, map[smx.ClientID]string{gone: "'" + name + "'", other: "'other'"}[c])
				}
			}
			if slices.Contains(names, "client_id") {
				b.exec(fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ", "), strings.Join(values, ", ")))
			}
		}
	}
	for _, c := range []smx.ClientID{gone, other} {
		b.exec(fmt.Sprintf("INSERT INTO subject_now (topic_type, topic_id) VALUES (700, '%s')", c))
		b.exec(fmt.Sprintf("INSERT INTO current_states_data (client_id, topic_type, topic_id) VALUES ('%s', 700, '%s'), "+
			"('%[1]s', 300, 'shared')", c.UUID(), c))
	}
	b.exec("INSERT INTO subject_now (topic_type, topic_id) VALUES (300, 'shared')")
	b.exec(fmt.Sprintf("INSERT INTO title_claims (topic_id, title, client_id) VALUES ('shared', 'Office', '%s')", gone.UUID()))
	if _, err := b.Erase(t.Context(), uuid.UUID(gone), "asked for it"); err != nil {
		t.Fatal(err)
	}
	for table, columns := range tables {
		if slices.Contains(columns, "client_id UUID") && table != "client_retirements" {
			if n := b.count("SELECT count() FROM " + table + " WHERE client_id = '" + other.UUID() + "'"); n == 0 {
				t.Errorf("%s lost the rows of another client", table)
			}
		}
		for _, column := range columns {
			short, kind, _ := strings.Cut(column, " ")
			if !strings.Contains(kind, "String") && kind != "UUID" {
				continue
			}
			n := b.count(fmt.Sprintf("SELECT count() FROM %[1]s WHERE positionCaseInsensitive(toString(%[2]s), '%[3]s') > 0 "+
				"OR positionCaseInsensitive(toString(%[2]s), '%[4]s') > 0", table, short, gone.UUID(), name))
			if n > 0 && !strings.Contains(kind, "AggregateFunction(arg") {
				t.Errorf("%d rows of %s still have the client in %s", n, table, short)
			}
		}
	}
	b.equal("a title that others use stays", b.count("SELECT count() FROM title_claims WHERE topic_id = 'shared' AND "+
		"client_id = toUUID('00000000-0000-0000-0000-000000000000')"), 1)
	b.equal("topics that others have are counted anew", b.count("SELECT count() FROM subjects_touched"), 1)
	b.equal("summaries of the other and of what is shared", b.count("SELECT count() FROM subject_now"), 2)
}

func (b *bench) exec(sql string) {
	b.t.Helper()
	if err := b.db.Conn().Exec(b.db.InsertContext(b.t.Context()), sql); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

// denier is the identity role.
type denier struct {
	denied []uuid.UUID
	err    error
	seen   func()
}

func (d *denier) Deny(_ context.Context, client uuid.UUID) error {
	if d.seen != nil {
		d.seen()
	}
	d.denied = append(d.denied, client)
	return d.err
}

// What an erased client gave out stays taken, whatever was stored, claimed or waiting, and nothing is missing of it
// when it enrols again. The floor does not make it known.
func TestAnErasedClientGoesOnBehindItsSerials(t *testing.T) {
	b := newBench(t, soon())
	b.denier = &denier{}
	b.check(CheckOptions{})
	c := client(1)
	b.report(c, 1, 20)
	b.report(c, 30, 33)
	b.poll(c, 35)
	b.unread = arriving(c, serials.Run{First: 36, Last: 40})
	out, err := b.Erase(t.Context(), uuid.UUID(c), "sold")
	b.equal("erased", []any{out.LastSerial, out.Waiting, out.Rows > 0, err}, []any{40, true, true, nil})
	b.unread = gaps.Unread{}
	next, err := b.NextSerial(t.Context(), uuid.UUID(c), 0)
	b.equal("enrols", []any{next, err}, []any{NextSerial{41, false}, nil})
	b.wait(time.Hour)
	b.report(c, 41, 44)
	b.poll(c, 44)
	r := b.check(CheckOptions{})
	b.equal("nothing is missing", []any{r.Gaps.Ranges, r.IssuedTotal}, []any{0, 0})
	b.report(c, 46, 46)
	b.equal("but for what is lost from now on", b.check(CheckOptions{}).Gaps.Messages, 1)

	b.unread = gaps.Unread{Everybody: true, Reason: "backlog"}
	out, err = b.Erase(t.Context(), uuid.UUID(c), "sold")
	b.equal("with a backlog", []any{out.LastSerial, out.Waiting, err}, []any{46 + busySkip, true, nil})
}

// Reports that waited when a client was erased don't bring it back, nor does a poll that was on its way. One that comes
// later does, and what was cut short is ended.
func TestWhatComesLateOfAnErasedClientGoes(t *testing.T) {
	b := newBench(t, soon())
	b.denier = &denier{}
	c := client(1)
	if err := b.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.report(c, 1, 3)
	b.poll(c, 5)
	waits := b.now
	if _, err := b.Erase(t.Context(), uuid.UUID(c), "sold"); err != nil {
		t.Fatal(err)
	}
	rows := func() []uint64 {
		t.Helper()
		b.wait(time.Minute)
		if err := b.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := " WHERE client_id = '" + c.UUID() + "'"
		return []uint64{b.count("SELECT count() FROM clients_seen" + id), b.count("SELECT count() FROM client_claims" + id),
			b.count("SELECT count() FROM serial_ranges" + id), b.count("SELECT count() FROM client_retirements" + id)}
	}
	none := []uint64{0, 0, 0, 0}
	b.equal("erased", rows(), none)
	later := b.now
	b.now = waits.Add(eraseGrace)
	b.report(c, 4, 6)
	b.now = later
	b.equal("a report that waited", rows(), none)
	b.equal("its serials stay taken", b.count("SELECT max(last_serial) FROM serial_floors"), 6)
	b.exec("INSERT INTO client_claims (client_id, last_serial, claimed_time) VALUES ('" + c.UUID() + "', 9, '" +
		waits.Format("2006-01-02 15:04:05") + "')")
	b.equal("a poll that was on its way", rows(), none)
	b.exec(strings.ReplaceAll(eraseMarkSQL, "{client:UUID}", "'"+c.UUID()+"'"))
	b.report(c, 10, 11) // now: only the mark says that it goes
	b.equal("cut short", rows(), none)
	b.report(c, 12, 13)
	b.equal("it came back", rows(), []uint64{1, 0, 1, 0})
}

// Nothing is done that is not recorded, and nothing goes before the certificates are refused.
func TestAnErasureIsRecordedAndThenDenied(t *testing.T) {
	eachWay(t, soon(), func(t *testing.T, b *bench, s service) {
		b.check(CheckOptions{})
		c := client(1)
		b.report(c, 1, 3)
		there := func() bool {
			return b.count("SELECT count() FROM serial_ranges WHERE client_id = '"+c.UUID()+"'") > 0
		}
		if _, err := s.Erase(t.Context(), uuid.UUID(c), "sold"); err == nil {
			t.Error("erased though nobody refuses its certificates")
		}
		d, log := &denier{}, &recorder{err: errors.New("disk full")}
		b.denier = d
		b.sets.Record(log)
		_, err := s.Erase(t.Context(), uuid.UUID(c), "sold")
		b.equal("not recorded", []any{err != nil, there(), len(d.denied)}, []any{true, true, 0})
		log.err, d.err = nil, errors.New("away")
		_, err = s.Erase(t.Context(), uuid.UUID(c), "sold")
		b.equal("not denied", []any{err != nil, there()}, []any{true, true})
		d.err, d.seen = nil, func() { log.lines = append(log.lines, fmt.Sprint("denied, there ", there())) }
		if _, err := b.sets.Create(t.Context(), collections.Spec{Name: "q",
			Query: "SELECT toUUID('" + c.UUID() + "') AS client_id"}); err != nil {
			t.Fatal(err)
		}
		out, err := s.Erase(t.Context(), uuid.UUID(c), "sold")
		b.equal("erased", []any{err, there(), out.Collections, d.denied[len(d.denied)-1]},
			[]any{nil, false, []string{"q"}, uuid.UUID(c)})
		name := "client:" + c.String()
		b.equal("in this order", strings.Join(log.lines, "\n"), strings.Join([]string{"client.delete " + name + " sold",
			"failed", "collection.create collection:q ", "done", "client.delete " + name +
				" sold", "denied, there true", "done"}, "\n"))
	})
}

// recorder keeps what is begun and how it went.
type recorder struct {
	lines []string
	err   error
}

func (r *recorder) Begin(_ context.Context, a audit.Action) (func(string, string), error) {
	if r.err != nil {
		return nil, r.err
	}
	r.lines = append(r.lines, fmt.Sprint(a.Action, " ", a.Object, " ", a.Reason))
	return func(outcome, _ string) { r.lines = append(r.lines, outcome) }, nil
}
