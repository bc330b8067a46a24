package ingest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

// titled is a message that calls its topic something.
func titled(serial uint64, id, title string) smx.Message {
	m := message(serial)
	m.TopicID, m.Title = id, title
	return m
}

// Of two titles the one that arrived first counts, whatever was loaded first; restarts and repeats change nothing, and
// a title is no part of its message.
func TestTheTitleThatArrivedFirstCounts(t *testing.T) {
	s := newSite(t)
	later := epoch.Add(time.Hour)
	named := bare(client(1), titled(1, "curl", "curl, the tool"), titled(2, "both", "Ours"))
	files := [][]byte{
		relayed(t, later, bare(client(2), titled(1, "curl", "Curl!"), titled(2, "both", "Ours")),
			bare(client(3), titled(1, "curl", "curl, the tool"))),
		relayed(t, epoch, named),
		relayed(t, epoch.Add(2*time.Hour), bare(client(1), titled(3, "late", "bad\u202Etitle"),
			titled(4, "late", "Late"), titled(5, "late", "Later"))),
	}
	seed := rand.Uint64()
	order := rand.New(rand.NewPCG(seed, 0)).Perm(len(files))
	l := s.loader()
	for round, at := range append(order, order...) {
		if s.put(inbox.Normal, files[at]); round%2 == 1 {
			l = s.loader()
		}
		if _, err := l.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const claims = `SELECT topic_id, title, client_id,
		dateDiff('minute', toDateTime64('2026-03-01 08:00:00', 6, 'UTC'), claimed_time) FROM title_claims FINAL`
	want := []string{
		fmt.Sprintf("'both','Ours','%s',0", client(1).UUID()),
		fmt.Sprintf("'curl','Curl!','%s',60", client(2).UUID()),
		fmt.Sprintf("'curl','curl, the tool','%s',0", client(1).UUID()),
		fmt.Sprintf("'late','Late','%s',120", client(1).UUID()),
	}
	s.expect(claims, want...)
	s.expect("SELECT topic_id, title FROM topic_titles FINAL WHERE source = 'agent'", "'both','Ours'",
		"'curl','curl, the tool'", "'late','Late'")
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
	bad := counter(t, l.metrics.titles.WithLabelValues("bad"))
	before := s.rows("SELECT count() FROM title_claims")
	s.drop("plain.SMX", bare(client(1), titled(1, "curl", ""), titled(2, "both", "Another")))
	if totals, err := l.Drain(t.Context()); err != nil || totals.Duplicates < 2 || totals.Conflicts > 0 {
		t.Errorf("the same messages under another title: %+v, %v; want repeats", totals, err)
	}
	if after := s.rows("SELECT count() FROM title_claims WHERE title != 'Another'"); !slices.Equal(before, after) {
		t.Errorf("%s claims became %s", before, after)
	}
	if bad > 1 || len(s.rows("SELECT 1 FROM state_messages WHERE topic_id = 'late' LIMIT 1")) != 1 {
		t.Errorf("%v bad titles, want at most that of the last file, and its message", bad)
	}
}

// A client that floods the site with titles fills neither memory nor the table, and takes no title from others.
func TestAFloodOfTitlesIsBounded(t *testing.T) {
	s := newSite(t)
	l := s.loader()
	say := func(from smx.ClientID, n int, id, title func(i int) string) []byte {
		all := make([]smx.Message, n)
		for i := range all {
			all[i] = titled(0, id(i), title(i))
			all[i].TopicType, all[i].Time = 9003, epoch.Add(time.Duration(i)*time.Second)
		}
		return bare(from, all...)
	}
	load := func(at time.Time, reports ...[]byte) {
		t.Helper()
		s.put(inbox.Normal, relayed(t, at, reports...))
		if _, err := l.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	one := func(text string) func(int) string { return func(int) string { return text } }
	many := func(text string) func(int) string { return func(i int) string { return fmt.Sprint(text, i) } }
	load(epoch, say(client(1), 1, one("victim"), one("Right")), say(client(2), 3000, many("id"), many("title ")))
	load(epoch.Add(time.Minute), say(client(2), 10, many("id"), many("x")), say(client(2), 20, many("id"), many("y")))
	var wrong [][]byte
	for i := range titlesOfTopic + 5 {
		wrong = append(wrong, say(client(3+i), 2, one("victim"), many(fmt.Sprint("Wrong ", i, " "))))
	}
	load(epoch.Add(time.Hour), wrong...)
	load(epoch.Add(-time.Second), say(client(99), 1, one("victim"), one("Earlier")))
	s.expect("SELECT count() FROM title_claims FINAL WHERE client_id = '"+client(2).UUID()+"'", fmt.Sprint(titlesOfClient))
	s.expect("SELECT count() FROM title_claims FINAL WHERE topic_id = 'victim'", fmt.Sprint(titlesOfTopic+1))
	s.expect("SELECT title FROM topic_titles FINAL WHERE topic_id = 'victim'", "'Earlier'")
	if limit := counter(t, l.metrics.titles.WithLabelValues("limit")); limit != 2000+30+12 {
		t.Errorf("%v titles were beyond the bounds, want %d", limit, 2000+30+12)
	}
	l = s.loader() // what a client gave is known after a restart
	load(epoch.Add(2*time.Hour), say(client(2), 1, one("new"), one("One more")))
	s.expect("SELECT count() FROM title_claims WHERE topic_id = 'new'", "0")
}

// What is remembered is bounded, and what is used stays.
func TestTheLatestIsRemembered(t *testing.T) {
	r := newRecent[int, int](100)
	r.put(-1, 7)
	for i := range 10_000 {
		r.put(i, i)
		if got, found := r.get(-1); !found || got != 7 || len(r.now)+len(r.old) > 100 {
			t.Fatalf("after %d: %d, %v of %d", i, got, found, len(r.now)+len(r.old))
		}
	}
	if _, found := r.get(5); found {
		t.Error("what was not used for long is remembered")
	}
}
