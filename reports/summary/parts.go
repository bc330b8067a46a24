package summary

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// part is the clients with ids from first to last, both included: a part of the site is read without the others, as all
// tables lie in the order of ids.
type part struct{ first, last string }

// named adds the part to the parameters of a statement.
func (p part) named(args ...any) []any {
	return append(args, clickhouse.Named("first", p.first), clickhouse.Named("last", p.last))
}

// everyone is the part that is all.
var everyone = part{uuid.Nil.String(), uuid.Max.String()}

// parts cuts the clients into parts of so many at most.
func (s *Summarizer) parts(ctx context.Context, clients uint64) ([]part, error) {
	parts := []part{everyone}
	err := s.each(ctx, "parts", []any{named("rows", clients)}, func(scan func(...any) error) error {
		var id uuid.UUID
		var ends uint8
		if err := scan(&id, &ends); err != nil {
			return err
		}
		if ends == 1 {
			parts[len(parts)-1].last = id.String()
		} else if parts[len(parts)-1].last != everyone.last {
			parts = append(parts, part{id.String(), everyone.last})
		}
		return nil
	})
	parts[len(parts)-1].last = everyone.last
	return parts, err
}
