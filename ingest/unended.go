package ingest

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"statewire/inbox"
	"statewire/smx"
)

//go:embed unended.sql
var unendedSQL string

// ending is something of corrupt that comes to its end, as the store knows it: people edit what lies beside a file.
type ending struct {
	inbox.BadFile
	client          uuid.UUID // none for a file that nobody can read
	until, received time.Time
	records         int // that the store holds under its name, and no other end has ended
}

// endings asks the store about files of corrupt. as is the file that tries them again, or empty. Asking again after the
// end was told gives the same answer. Of what the store does not know, the file tells the times, and it holds no
// records.
func endings(ctx context.Context, conn driver.Conn, files []inbox.BadFile, as string) ([]ending, error) {
	all := make([]ending, len(files))
	names, at := make([]string, len(files)), make(map[string]*ending, len(files))
	for i, b := range files {
		client, _ := smx.ParseClientID(b.Reason.Client)
		all[i] = ending{BadFile: b, client: uuid.UUID(client), until: b.Until(), received: b.Reason.Received}
		if all[i].received.IsZero() {
			all[i].received = all[i].until
		}
		names[i], at[b.Name] = b.Name, &all[i]
	}
	rows, err := conn.Query(ctx, unendedSQL, clickhouse.Named("names", names), clickhouse.Named("as", as))
	if err != nil {
		return nil, fmt.Errorf("ask what is set aside: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scanEnding(rows, at); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read what is set aside: %w", err)
	}
	return all, nil
}

func scanEnding(rows driver.Rows, at map[string]*ending) error {
	var name string
	var client uuid.UUID
	var until, received time.Time
	var records uint32
	if err := rows.Scan(&name, &until, &client, &received, &records); err != nil {
		return fmt.Errorf("read what is set aside: %w", err)
	}
	e := at[name]
	e.until, e.received, e.records = until, received, int(records)
	if client != uuid.Nil {
		e.client = client
	}
	return nil
}
