package collections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"statewire/internal/control"
	"statewire/smx"
)

// notRetired leaves retired clients out. Of an id of another type it leaves the complaint to who looks at the type.
const notRetired = " WHERE toUUIDOrZero(toString(client_id)) NOT IN (SELECT client_id FROM retired_clients)"

// runQuery runs a saved query where it can only read.
func (s *Service) runQuery(ctx context.Context, query string) (members []smx.ClientID, err error) {
	rows, err := s.store.ReadOnly().Query(ctx, "SELECT client_id FROM (SELECT DISTINCT client_id FROM (\n"+query+
		"\n))"+notRetired)
	if err != nil {
		return nil, queryProblem(err)
	}
	defer rows.Close()
	if kind := rows.ColumnTypes()[0].DatabaseTypeName(); kind != "UUID" {
		return nil, control.Invalid("the query's client_id is of type %s; it must be UUID", kind)
	}
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, queryProblem(err)
		}
		members = append(members, smx.ClientID(id))
		if len(members) > MaxMembers {
			return nil, control.Invalid("the query yields more than %d clients", MaxMembers)
		}
	}
	slices.SortFunc(members, smx.ClientID.Compare)
	// A union that reaches out of the parentheses may repeat clients.
	return slices.Compact(members), queryProblem(rows.Err())
}

// Everyone are the clients that this site ever saw, ascending, without those that are retired.
func (s *Service) Everyone(ctx context.Context) ([]smx.ClientID, error) {
	return s.runQuery(ctx, "SELECT client_id FROM clients")
}

// queryProblem tells a query that the engine refuses from a store that cannot be reached.
func queryProblem(err error) error {
	if err == nil {
		return nil
	}
	var refused *clickhouse.Exception
	if errors.As(err, &refused) {
		return control.Invalid("the query does not work as SELECT … client_id …: %s", firstLine(refused.Message))
	}
	return fmt.Errorf("run the collection's query: %w", err)
}

// firstLine is the beginning of an engine's message: the rest repeats the statement.
func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if runes := []rune(text); len(runes) > 300 {
		return string(runes[:300]) + "…"
	}
	return text
}
