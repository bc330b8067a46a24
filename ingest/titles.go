package ingest

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
)

const (
	// titlesOfTopic bounds the titles that are stored of one type and id.
	titlesOfTopic = 20
	// titlesOfClient bounds those that a client is the first to give.
	titlesOfClient = 1000
	// rememberedTitles bounds what is remembered of titles, and of the clients that gave new ones.
	rememberedTitles = 100_000
)

// titles stores what clients call topic ids: each title of an id once, with its first arrival. A title that is
// remembered costs a look into memory; of others the store is asked, so that a restart changes nothing. Of an id the
// title that arrived first is stored in whatever order files are loaded.
type titles struct {
	seed  maphash.Seed           // its own for each start: nobody outside can make two titles look the same
	known recent[uint64, int64]  // by naming.key: what arrives from then on is old news, µs since 1970
	given recent[uuid.UUID, int] // new titles by client, those that were refused since the start included
}

func newTitles() titles {
	return titles{seed: maphash.MakeSeed(), known: newRecent[uint64, int64](rememberedTitles),
		given: newRecent[uuid.UUID, int](rememberedTitles)}
}

// topic is what a title is given to.
type topic struct {
	kind uint32
	id   string
}

// named is what is remembered of a title, as a hash.
type named struct {
	topic
	title string
}

// naming is a title that a client gives to a topic.
type naming struct {
	topic
	title   string
	client  uuid.UUID
	arrived int64 // µs since 1970
	key     uint64
}

// insertTitles stores the titles of a batch that are new, or arrived before what is stored. Nothing is remembered of
// titles that could not be stored.
func (l *Loader) insertTitles(ctx context.Context, b batch) error {
	news, refused := l.titles.news(b)
	if len(news) > 0 {
		stored, err := knownTitles(ctx, l.store.Conn(), news)
		if err != nil {
			return err
		}
		if err := l.titles.countGiven(ctx, l.store.Conn(), news); err != nil {
			return err
		}
		v := l.titles.judge(news, stored)
		if err := l.insertTable(ctx, titlesTable(v.fresh)); err != nil {
			return err
		}
		l.titles.remember(news, v.tries)
		refused += v.refused
		l.metrics.titles.WithLabelValues("new").Add(float64(len(v.fresh)))
	}
	l.metrics.titles.WithLabelValues("limit").Add(float64(refused))
	return nil
}

// news are the titles of a batch of which memory does not say that they are old news, each once, in the order of their
// arrival; and how many come from clients that have given all they may.
func (t *titles) news(b batch) (news []naming, refused int) {
	var at map[uint64]int // by key, into news
	var tries map[uuid.UUID]int
	for p, given := range b.titles() {
		n := t.naming(p, given)
		if since, known := t.known.get(n.key); known && since <= n.arrived {
			continue
		}
		if i, twice := at[n.key]; twice {
			if n.arrived < news[i].arrived {
				news[i] = n
			}
			continue
		}
		if before, _ := t.given.get(n.client); before+tries[n.client] >= titlesOfClient {
			refused++
			continue
		}
		if at == nil {
			at, tries = map[uint64]int{}, map[uuid.UUID]int{}
		}
		at[n.key] = len(news)
		tries[n.client]++
		news = append(news, n)
	}
	slices.SortStableFunc(news, func(a, b naming) int { return cmp.Compare(a.arrived, b.arrived) })
	return news, refused
}

func (t *titles) naming(p *part, given smx.Title) naming {
	n := naming{topic: topic{p.rows.TopicType[given.Row], p.rows.TopicID[given.Row]}, title: given.Text,
		client: p.clients[given.Row], arrived: p.received[given.Row].UnixMicro()}
	n.key = maphash.Comparable(t.seed, named{n.topic, n.title})
	return n
}

// verdict is what becomes of titles that are news.
type verdict struct {
	fresh   []naming          // to be stored
	tries   map[uuid.UUID]int // by client: those that nobody gave before, refused ones included
	refused int
}

// judge says what becomes of news, given what is stored. Of what arrives for a topic at one moment the first counts.
func (t *titles) judge(news []naming, stored map[topic]given) verdict {
	v := verdict{tries: map[uuid.UUID]int{}}
	for _, n := range news {
		of := stored[n.topic]
		if of == nil {
			of = given{}
			stored[n.topic] = of
		}
		since, found := of[n.title]
		switch {
		case found && since <= n.arrived, !found && of.at(n.arrived):
			continue
		case !found && !t.allowed(n, of, v.tries):
			v.refused++
			continue
		}
		of[n.title] = n.arrived
		v.fresh = append(v.fresh, n)
	}
	return v
}

// allowed counts a title that nobody gave before and says whether it keeps to the bounds. The title that arrived before
// all others of its topic does.
func (t *titles) allowed(n naming, of given, tries map[uuid.UUID]int) bool {
	before, _ := t.given.get(n.client)
	tries[n.client]++
	return before+tries[n.client] <= titlesOfClient && (len(of) < titlesOfTopic || of.after(n.arrived))
}

// remember keeps in mind what became of news.
func (t *titles) remember(news []naming, tries map[uuid.UUID]int) {
	for _, n := range news {
		t.known.put(n.key, n.arrived)
	}
	for client, n := range tries {
		before, _ := t.given.get(client)
		t.given.put(client, before+n)
	}
}

// given is the titles of a topic, and when each arrived first.
type given map[string]int64

// at says that one arrived at this very moment.
func (g given) at(arrived int64) bool {
	for _, since := range g {
		if since == arrived {
			return true
		}
	}
	return false
}

// after says that all arrived after a moment.
func (g given) after(arrived int64) bool {
	for _, since := range g {
		if since <= arrived {
			return false
		}
	}
	return true
}

// titlesTable is a row per title.
func titlesTable(all []naming) table {
	var (
		ids, texts []string
		kinds      []uint32
		clients    []uuid.UUID
		claimed    []time.Time
		earliest   []uint64
	)
	for _, n := range all {
		ids, kinds, texts = append(ids, n.id), append(kinds, n.kind), append(texts, n.title)
		clients, claimed = append(clients, n.client), append(claimed, time.UnixMicro(n.arrived))
		earliest = append(earliest, ^uint64(n.arrived))
	}
	return table{
		name:   "title_claims",
		sql:    `INSERT INTO title_claims (topic_id, topic_type, title, client_id, claimed_time, earliest)`,
		rows:   len(all),
		blocks: [][]any{{ids, kinds, texts, clients, claimed, earliest}},
	}
}
