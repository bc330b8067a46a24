package ingest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

var (
	//go:embed titles_known.sql
	titlesKnownSQL string
	//go:embed titles_given.sql
	titlesGivenSQL string
)

// knownTitles is what the store holds of the topics of some titles.
func knownTitles(ctx context.Context, conn driver.Conn, news []naming) (map[topic]given, error) {
	stored := map[topic]given{}
	q := question{ctx: ctx, conn: conn, sql: titlesKnownSQL, doing: "look for stored titles",
		row: func(rows driver.Rows) error {
			var of topic
			var title string
			var since int64
			if err := rows.Scan(&of.id, &of.kind, &title, &since); err != nil {
				return err
			}
			if stored[of] == nil {
				stored[of] = given{}
			}
			stored[of][title] = since
			return nil
		}}
	asked := map[topic]bool{}
	for _, n := range news {
		if asked[n.topic] {
			continue
		}
		asked[n.topic] = true
		if err := q.add(map[string]any{"topic_id": n.id, "topic_type": n.kind}); err != nil {
			return nil, err
		}
	}
	return stored, q.ask()
}

// countGiven learns how many titles the clients of news were the first to give.
func (t *titles) countGiven(ctx context.Context, conn driver.Conn, news []naming) error {
	counts := map[uuid.UUID]int{}
	q := question{ctx: ctx, conn: conn, sql: titlesGivenSQL, doing: "count the titles of clients",
		row: func(rows driver.Rows) error {
			var client uuid.UUID
			var count uint64
			if err := rows.Scan(&client, &count); err != nil {
				return err
			}
			counts[client] = int(count)
			return nil
		}}
	for _, n := range news {
		_, known := t.given.get(n.client)
		if _, asked := counts[n.client]; known || asked {
			continue
		}
		counts[n.client] = 0
		if err := q.add(map[string]any{"client_id": n.client}); err != nil {
			return err
		}
	}
	if err := q.ask(); err != nil {
		return err
	}
	for client, count := range counts {
		t.given.put(client, count)
	}
	return nil
}

// question asks the store about many things, some at a time.
type question struct {
	ctx   context.Context
	conn  driver.Conn
	sql   string // with a list of things, a line of JSON each
	doing string
	row   func(driver.Rows) error

	list strings.Builder
}

// questionBytes bounds the list of one look-up. As a literal it takes up to twice as much of lookUpBytes.
const questionBytes = 1 << 20

func (q *question) add(thing map[string]any) error {
	line, err := json.Marshal(thing)
	if err != nil {
		return fmt.Errorf("%s: %w", q.doing, err)
	}
	q.list.Write(append(line, '\n'))
	if q.list.Len() < questionBytes {
		return nil
	}
	return q.ask()
}

// ask looks up what was added since it asked last.
func (q *question) ask() error {
	if q.list.Len() == 0 {
		return nil
	}
	ctx := clickhouse.Context(q.ctx, clickhouse.WithSettings(clickhouse.Settings{"max_query_size": lookUpBytes}))
	rows, err := q.conn.Query(ctx, q.sql, q.list.String())
	q.list.Reset()
	if err != nil {
		return fmt.Errorf("%s: %w", q.doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := q.row(rows); err != nil {
			return fmt.Errorf("%s: %w", q.doing, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", q.doing, err)
	}
	return nil
}
