package summary

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"statewire/store"
	"statewire/store/storetest"
)

// The answers, as the views give them and as the rows themselves say. A name is that of the latest report with one.
var answers = []struct{ view, rows string }{
	{
		"SELECT toString(tuple(client_id, netbios_name, client_version, client_type, first_report_time, " +
			"last_report_time)) FROM clients ORDER BY 1",
		`SELECT toString(tuple(client_id, argMaxIf(netbios_name, at, netbios_name != ''), argMaxIf(client_version, at,
			client_version != ''),
			argMax(client_type, at), min(received_time), max(received_time)))
		FROM (SELECT *, (received_time, toUInt32(sipHash64(source_file) % 4294967296), report_index) AS at FROM
		client_reports)
		GROUP BY client_id ORDER BY 1`,
	},
	{
		"SELECT toString(tuple(topic_type, topic_id, state_id, clients, oldest, newest, codes)) FROM subject_states ORDER " +
			"BY 1",
		`SELECT toString(tuple(topic_type, topic_id, state_id, count(), min(message_time), max(message_time),
			if(topic_type = 301 AND sum(length(params)) > 0, any(params), [])))
		FROM current_states GROUP BY topic_type, topic_id, state_id ORDER BY 1`,
	},
	{
		"SELECT id FROM (SELECT toString(client_id) AS id FROM client_names WHERE name_lower = 'pc-3' AND client_id IN " +
			"(SELECT client_id FROM clients WHERE lower(netbios_name) = 'pc-3') " +
			"UNION DISTINCT SELECT toString(client_id) FROM clients_fresh WHERE lower(netbios_name) = 'pc-3') ORDER BY 1",
		`SELECT toString(client_id) FROM client_reports GROUP BY client_id
		HAVING argMaxIf(netbios_name, (received_time, toUInt32(sipHash64(source_file) % 4294967296), report_index),
		netbios_name != '') IN ('pc-3', 'PC-3') ORDER BY 1`,
	},
}

// site is a store with a summarizer that may die at any statement.
type site struct {
	t      *testing.T
	store  *store.Store
	s      *Summarizer
	rand   *rand.Rand
	dies   int // statements to go until it dies; negative: never
	before bool
	loaded []string // statements that loaded something
}

func (s *site) Conn() driver.Conn                                 { return dying{s.store.Conn(), s} }
func (s *site) InsertContext(ctx context.Context) context.Context { return s.store.InsertContext(ctx) }

// dying is a connection on which a statement fails, before or after it was carried out.
type dying struct {
	driver.Conn
	site *site
}

var errDied = errors.New("the process died")

func (d dying) Exec(ctx context.Context, query string, args ...any) error {
	if d.site.dies--; d.site.dies == -1 && d.site.before {
		return errDied
	}
	err := d.Conn.Exec(ctx, query, args...)
	if d.site.dies == -1 {
		return errDied
	}
	return err
}

// start is a process that begins, without the margin: what was loaded before its steps is in its summaries.
func (s *site) start() {
	s.s = New(time.Second, Deps{Store: s})
	s.s.margin, s.s.machines.every = 0, 0
	s.s.days.job.rests = time.Now().Add(time.Hour) // what is over has tests of its own
	s.s.spells.job.rests = s.s.days.job.rests
}

// step makes the summaries, or dies while it does.
func (s *site) step(dies int) {
	s.t.Helper()
	s.dies, s.before = dies, s.rand.IntN(2) == 0
	for _, j := range s.s.now.jobs {
		j.rests = time.Time{}
	}
	err := s.s.Step(s.t.Context())
	if err != nil && !errors.Is(err, errDied) {
		s.t.Fatal(err)
	}
	if err != nil {
		s.start()
	}
}

// PrepareBatch is an insert of rows, which is carried out when it is sent.
func (d dying) PrepareBatch(ctx context.Context, query string, o ...driver.PrepareBatchOption) (driver.Batch, error) {
	batch, err := d.Conn.PrepareBatch(ctx, query, o...)
	return dyingBatch{batch, d.site}, err
}

type dyingBatch struct {
	driver.Batch
	site *site
}

func (b dyingBatch) Send() error {
	if b.site.dies--; b.site.dies == -1 && b.site.before {
		return errDied
	}
	err := b.Batch.Send()
	if b.site.dies == -1 {
		return errDied
	}
	return err
}

func (s *site) exec(statement string) {
	s.t.Helper()
	if err := s.store.Conn().Exec(s.store.InsertContext(s.t.Context()), statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

func (s *site) load(statement string) {
	s.loaded = append(s.loaded, statement)
	s.exec(statement)
}

// report loads a report of one of a few clients: a new name, none, or one it had; reports arrive in any order, and at
// one time.
func (s *site) report() {
	name := []string{"", "", fmt.Sprintf("PC-%d", s.rand.IntN(5)), fmt.Sprintf("pc-%d", s.rand.IntN(5))}[s.rand.IntN(4)]
	s.load(fmt.Sprintf(`INSERT INTO client_reports (client_id, received_time, source_file, report_index, netbios_name,
		client_version, client_type)
		VALUES (toUUID('00000000-0000-4000-8000-%012d'), '2026-05-01 00:00:00.%06d', '%d.SMX', %d, '%s', '%s', %d)`,
		s.rand.IntN(8), s.rand.IntN(20), s.rand.IntN(3), len(s.loaded), name, []string{"", "5.1", "5.2"}[s.rand.IntN(3)],
		s.rand.IntN(3)))
}

// message loads a message: of a serial that is new, or used, or none.
func (s *site) message() {
	topic := []int{300, 301, 9003}[s.rand.IntN(3)]
	state := s.rand.IntN(4)
	params := "[]"
	if topic == 301 && state > 1 {
		params = fmt.Sprintf("['0x8024000%d']", state)
	}
	s.load(fmt.Sprintf(`INSERT INTO state_messages (client_id, serial, received_time, message_us, topic_type, topic_id,
		state_id, params, payload_hash)
		VALUES (toUUID('00000000-0000-4000-8000-%012d'), %d, '2026-05-01 00:00:00.%06d', %d, %d, '%d', %d, %s, %d)`,
		s.rand.IntN(8), s.rand.IntN(12), s.rand.IntN(20), 1777593600000000+s.rand.IntN(9)*1000, topic, s.rand.IntN(3), state,
		params, s.rand.Uint64()))
}

func (s *site) rows(sql string) (all []string) {
	s.t.Helper()
	rows, err := s.store.Conn().Query(s.t.Context(), sql)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *site) check(after string) {
	s.t.Helper()
	for _, a := range answers {
		if got, want := s.rows(a.view), s.rows(a.rows); !slices.Equal(got, want) {
			s.t.Fatalf("after %s: %s\n%q\nwant\n%q", after, a.view, got, want)
		}
	}
}

func TestSummariesAnswerAsTheRowsDo(t *testing.T) {
	for seed := range uint64(1) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := &site{t: t, store: storetest.New(t), rand: rand.New(rand.NewPCG(seed, 9)), dies: -1}
			s.start()
			for range 40 {
				action := []string{"report", "report", "message", "message", "repeat", "summary", "death", "merge"}[s.rand.IntN(8)]
				switch action {
				case "report":
					s.report()
				case "message":
					s.message()
				case "repeat":
					if len(s.loaded) > 0 {
						s.exec(s.loaded[s.rand.IntN(len(s.loaded))])
					}
				case "summary":
					s.step(-1)
				case "death":
					s.step(s.rand.IntN(5))
				case "merge":
					s.exec("OPTIMIZE TABLE " + []string{"clients_seen", "clients_named", "client_now", "subject_now",
						"summary_progress", "client_reports"}[s.rand.IntN(6)] + " FINAL")
				}
				s.check(action)
			}
			s.settles()
		})
	}
}

// settles holds the summaries themselves, without what questions add, against the rows; a step more writes nothing.
func (s *site) settles() {
	s.t.Helper()
	s.step(-1)
	s.step(-1)
	fresh := s.rows("SELECT toString(client_id) FROM clients_changed UNION ALL SELECT topic_id FROM subjects_changed")
	if len(fresh) > 0 {
		s.t.Errorf("after the summaries %q are counted anew", fresh)
	}
	s.check("the last summary")
	if lacking := s.rows("SELECT toString((name_lower, client_id)) FROM client_now FINAL WHERE name_lower != '' AND " +
		"(name_lower, client_id) NOT IN (SELECT name_lower, client_id FROM client_names)"); len(lacking) > 0 {
		s.t.Errorf("the names %q are not listed", lacking)
	}
	const written = `SELECT toString((SELECT count() FROM client_now)) || ' ' || toString((SELECT count() FROM
		client_names)) || ' ' ||
		toString((SELECT count() FROM subject_now)) || ' ' ||
		toString((SELECT count() FROM summary_progress WHERE job NOT IN ('days', 'ttr')))` // these rest by the clock, and have a test
	before := s.rows(written)
	s.step(-1)
	if after := s.rows(written); !slices.Equal(before, after) {
		s.t.Errorf("a step without a change wrote: rows %v, then %v", before, after)
	}
}
