package embedded

import (
	"fmt"
	"strings"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// The driver decodes the answer to its opening question at its own protocol
// revision and all later ones at the revision it is told. The engine's Native
// blocks are of revision 0, so the opening question is answered here.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

func (s *statement) isHello() bool {
	return s.native && strings.TrimSpace(s.sql) == helloQuery
}

// hello says: a server of the engine's version, Native of revision 0, UTC.
func hello(version string, revision uint64) ([]byte, error) {
	return block(revision,
		field{"displayName()", "String", "statewire"},
		field{"version()", "String", version},
		field{"revision()", "UInt32", uint32(0)},
		field{"timezone()", "String", "UTC"})
}

// field is a column with its first row; a nil value is a column without rows.
type field struct {
	name, kind string
	value      any
}

// block encodes one Native block.
func block(revision uint64, fields ...field) ([]byte, error) {
	b := proto.NewBlock()
	for _, f := range fields {
		if err := b.AddColumn(f.name, column.Type(f.kind)); err != nil {
			return nil, fmt.Errorf("column %s %s: %w", f.name, f.kind, err)
		}
		if f.value == nil {
			continue
		}
		if err := b.Columns[len(b.Columns)-1].AppendRow(f.value); err != nil {
			return nil, fmt.Errorf("column %s %s: %w", f.name, f.kind, err)
		}
	}
	var buf chproto.Buffer
	if err := b.Encode(&buf, revision); err != nil {
		return nil, fmt.Errorf("encode a block: %w", err)
	}
	return buf.Buf, nil
}

// header is the block without rows that tells an empty answer's columns: the engine
// sends nothing at all then.
func header(described string) ([]byte, error) {
	var buf chproto.Buffer
	lines := strings.Split(described, "\n")
	buf.PutUVarInt(uint64(len(lines)))
	buf.PutUVarInt(0)
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, "\t")
		kind, _, _ := strings.Cut(rest, "\t")
		buf.PutString(unescape(name))
		buf.PutString(unescape(kind))
	}
	return buf.Buf, nil
}

var escapes = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r", `\0`, "\x00", `\'`, "'", `\b`, "\b",
	`\f`, "\f")

func unescape(s string) string { return escapes.Replace(s) }
