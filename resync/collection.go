package resync

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store"
)

// ErrNoCollection says that no collection has the name.
var ErrNoCollection = errors.New("no such collection")

// MaxMembers bounds a collection.
const MaxMembers = 1_000_000

// Kinds of collections.
const (
	kindList  = "list"
	kindQuery = "query"
)

// Collection is a named set of clients: a list, or whoever a saved query yields at the moment it is asked.
type Collection struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"` // list or query
	Query   string    `json:"query"`
	Clients uint64    `json:"clients"` // members; of a query as of this moment where somebody asked for them, else 0
	Changed time.Time `json:"changed_time"`

	revision uint64
}

// CollectionSpec is a collection to be made: from a list, or from a query that yields a column client_id.
type CollectionSpec struct {
	Name    string
	Clients []smx.ClientID
	Query   string
	Replace bool // a collection of this name may be there
}

// collectionName keeps names fit for a command line and a page's address.
var collectionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func checkName(name string) error {
	if !collectionName.MatchString(name) {
		return invalid("collection name %.80q is not allowed; use letters, digits, dots, dashes and underscores, at most 63, beginning with a letter or digit", name)
	}
	return nil
}

func (c CollectionSpec) check() error {
	switch {
	case c.Query == "" && len(c.Clients) == 0:
		return invalid("a collection needs clients or a query")
	case c.Query != "" && len(c.Clients) > 0:
		return invalid("a collection is a list of clients or a query, not both")
	case len(c.Clients) > MaxMembers:
		return invalid("a collection has at most %d clients, got %d", MaxMembers, len(c.Clients))
	}
	return checkName(c.Name)
}

var (
	//go:embed sql/collections.sql
	collectionsSQL string
	//go:embed sql/members.sql
	membersSQL string
	//go:embed sql/revision.sql
	revisionSQL string
	//go:embed sql/tidy_members.sql
	tidyMembersSQL string
)

// CreateCollection makes or replaces a collection. A query is run once, so that one that does not work is refused.
func (s *Service) CreateCollection(ctx context.Context, spec CollectionSpec) (Collection, error) {
	spec.Query = strings.TrimRight(strings.TrimSpace(spec.Query), "; \n")
	if err := spec.check(); err != nil {
		return Collection{}, err
	}
	if err := s.enter(ctx); err != nil {
		return Collection{}, err
	}
	defer s.leave()
	_, err := s.store.collection(ctx, spec.Name)
	switch {
	case err == nil && !spec.Replace:
		return Collection{}, invalid("collection %s is there already; --replace replaces it", spec.Name)
	case err != nil && !errors.Is(err, ErrNoCollection):
		return Collection{}, err
	}
	made, err := s.putCollection(ctx, spec)
	if err != nil {
		return Collection{}, err
	}
	s.log.Info("collection stored", "collection", made.Name, "kind", made.Kind, "clients", made.Clients)
	return made, errors.Join(s.store.tidyMembers(ctx, made), s.reloadRules(ctx))
}

// putCollection stores members before the collection that names them.
func (s *Service) putCollection(ctx context.Context, spec CollectionSpec) (Collection, error) {
	c := Collection{Name: spec.Name, Kind: kindList, Query: spec.Query, Changed: s.now().UTC()}
	members := slices.Compact(slices.SortedFunc(slices.Values(spec.Clients), compareClients))
	if spec.Query != "" {
		c.Kind = kindQuery
		found, err := s.store.runQuery(ctx, spec.Query)
		if err != nil {
			return c, err
		}
		c.Clients = uint64(len(found))
	} else {
		c.Clients = uint64(len(members))
	}
	var err error
	if c.revision, err = s.store.nextRevision(ctx, spec.Name, c.Changed); err != nil {
		return c, err
	}
	if err := s.store.putMembers(ctx, c, members); err != nil {
		return c, err
	}
	return c, s.store.putCollection(ctx, c, false)
}

// Collections lists the collections by name. Those of queries show no number of clients.
func (s *Service) Collections(ctx context.Context) ([]Collection, error) {
	return s.store.collections(ctx, "")
}

// Collection returns a collection with its members of this moment, ascending.
func (s *Service) Collection(ctx context.Context, name string) (Collection, []smx.ClientID, error) {
	c, err := s.store.collection(ctx, name)
	if err != nil {
		return Collection{}, nil, err
	}
	members, err := s.store.members(ctx, c)
	c.Clients = uint64(len(members))
	return c, members, err
}

// DeleteCollection removes a collection and its policy.
func (s *Service) DeleteCollection(ctx context.Context, name string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	c, err := s.store.collection(ctx, name)
	if err != nil {
		return err
	}
	c.Changed = s.now().UTC()
	if c.revision, err = s.store.nextRevision(ctx, name, c.Changed); err != nil {
		return err
	}
	gone := CollectionPolicy{Collection: name, Changed: c.Changed, revision: c.revision}
	err = errors.Join(s.store.putPolicy(ctx, gone, true), s.store.putCollection(ctx, c, true), s.store.tidyMembers(ctx, c))
	if err != nil {
		return err
	}
	s.log.Info("collection deleted", "collection", name)
	return s.reloadRules(ctx)
}

func (l *storeLedger) collections(ctx context.Context, name string) (list []Collection, err error) {
	err = l.store.EachRow(ctx, collectionsSQL, []any{store.TextArg("name", name)}, func(scan func(...any) error) error {
		var c Collection
		err := scan(&c.Name, &c.revision, &c.Kind, &c.Query, &c.Changed, &c.Clients)
		list = append(list, c)
		return err
	})
	return list, wrap(err, "list the collections")
}

func (l *storeLedger) collection(ctx context.Context, name string) (Collection, error) {
	if err := checkName(name); err != nil {
		return Collection{}, err
	}
	list, err := l.collections(ctx, name)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: %s; `statewire collection list` shows them", ErrNoCollection, name)
	}
	if err != nil {
		return Collection{}, err
	}
	return list[0], nil
}

func (l *storeLedger) members(ctx context.Context, c Collection) (members []smx.ClientID, err error) {
	if c.Kind == kindQuery {
		members, err = l.runQuery(ctx, c.Query)
		return members, wrap(err, "collection "+c.Name)
	}
	err = l.store.EachRow(ctx, membersSQL, []any{store.TextArg("name", c.Name), store.UintArg("revision", c.revision)}, func(scan func(...any) error) error {
		var id uuid.UUID
		err := scan(&id)
		members = append(members, smx.ClientID(id))
		return err
	})
	slices.SortFunc(members, compareClients) // the store orders ids otherwise
	return members, wrap(err, "list the clients of collection "+c.Name)
}

// runQuery runs a saved query where it can only read.
func (l *storeLedger) runQuery(ctx context.Context, query string) (members []smx.ClientID, err error) {
	rows, err := l.store.ReadOnly().Query(ctx, "SELECT DISTINCT client_id FROM (\n"+query+"\n)")
	if err != nil {
		return nil, queryProblem(err)
	}
	defer rows.Close()
	if kind := rows.ColumnTypes()[0].DatabaseTypeName(); kind != "UUID" {
		return nil, invalid("the query's client_id is of type %s; it must be UUID", kind)
	}
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, queryProblem(err)
		}
		if members = append(members, smx.ClientID(id)); len(members) > MaxMembers {
			return nil, invalid("the query yields more than %d clients", MaxMembers)
		}
	}
	slices.SortFunc(members, compareClients)
	return slices.Compact(members), queryProblem(rows.Err()) // a union that reaches out of the parentheses may repeat clients
}

// queryProblem tells a query that the engine refuses from a store that cannot be reached.
func queryProblem(err error) error {
	var refused *clickhouse.Exception
	if errors.As(err, &refused) {
		return invalid("the query does not work as SELECT … client_id …: %s", firstLine(refused.Message))
	}
	return wrap(err, "run the collection's query")
}

// firstLine is the beginning of an engine's message: the rest repeats the statement.
func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return text
}

// nextRevision is greater than every revision of the name before; clocks only help.
func (l *storeLedger) nextRevision(ctx context.Context, name string, now time.Time) (uint64, error) {
	var last uint64
	if err := l.store.Conn().QueryRow(ctx, revisionSQL, store.TextArg("name", name)).Scan(&last); err != nil {
		return 0, fmt.Errorf("read the revision of collection %s: %w", name, err)
	}
	return max(last+1, uint64(max(now.UnixMicro(), 0))), nil
}

// membersPerInsert is how many members one insert stores.
const membersPerInsert = 100_000

func (l *storeLedger) putMembers(ctx context.Context, c Collection, members []smx.ClientID) error {
	for part := range slices.Chunk(members, membersPerInsert) {
		names, revisions, clients := make([]string, len(part)), make([]uint64, len(part)), make([]uuid.UUID, len(part))
		for i, client := range part {
			names[i], revisions[i], clients[i] = c.Name, c.revision, uuid.UUID(client)
		}
		if err := l.store.Insert(ctx, `INSERT INTO collection_clients (name, revision, client_id)`, names, revisions, clients); err != nil {
			return fmt.Errorf("store the clients of collection %s: %w", c.Name, err)
		}
	}
	return nil
}

func (l *storeLedger) putCollection(ctx context.Context, c Collection, deleted bool) error {
	err := l.store.Insert(ctx, `INSERT INTO collections (name, revision, kind, query, changed_time, deleted)`,
		[]string{c.Name}, []uint64{c.revision}, []string{c.Kind}, []string{c.Query}, []time.Time{c.Changed}, []uint8{store.Flag(deleted)})
	return wrap(err, "store collection "+c.Name)
}

// tidyMembers removes members of revisions that no collection has any more.
func (l *storeLedger) tidyMembers(ctx context.Context, c Collection) error {
	err := l.store.Conn().Exec(ctx, tidyMembersSQL, store.TextArg("name", c.Name), store.UintArg("revision", c.revision))
	return wrap(err, "remove the old clients of collection "+c.Name)
}
