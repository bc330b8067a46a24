package store

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/google/uuid"
)

// Batches lend the driver's columns the memory of those that were sent: lend copies one column's fields into another.
// That rests on what the fields are. A version of the driver that moves them fails here; look whether a copy is still
// whole, and whether Reset still empties it, before the new number is written down.
func TestColumnsOfTheDriverCanBeLent(t *testing.T) {
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		kind   column.Type
		values [2]any
		fields uint32 // of the column's struct, by name and type
	}{
		{"UInt8", [2]any{uint8(1), uint8(2)}, 0xbdafd3b3},
		{"UInt16", [2]any{uint16(1), uint16(2)}, 0x9f4c98d8},
		{"UInt32", [2]any{uint32(1), uint32(2)}, 0x60677f02},
		{"UInt64", [2]any{uint64(1), uint64(2)}, 0xdb82b7cb},
		{"Int64", [2]any{int64(1), int64(2)}, 0xd1b871fa},
		{"String", [2]any{"a", "b"}, 0x30128c7e},
		{"LowCardinality(String)", [2]any{"a", "b"}, 0xe5fe4542},
		{"UUID", [2]any{uuid.UUID{1}, uuid.UUID{2}}, 0x77339b28},
		{"DateTime64(3, 'UTC')", [2]any{at, at.Add(time.Second)}, 0x5d7d8bb4},
		{"DateTime64(6, 'UTC')", [2]any{at, at.Add(time.Second)}, 0x5d7d8bb4},
		{"Array(String)", [2]any{[]string{"a"}, []string{"b", "c"}}, 0x5a9e4d36},
		{"Array(UInt32)", [2]any{[]uint32{1}, []uint32{2, 3}}, 0x5a9e4d36},
	} {
		sent, fresh := made(t, tt.kind), made(t, tt.kind)
		if err := sent.AppendRow(tt.values[0]); err != nil {
			t.Fatal(err)
		}
		sent.Reset()
		reflect.ValueOf(fresh).Elem().Set(reflect.ValueOf(sent).Elem())
		if err := fresh.AppendRow(tt.values[1]); err != nil {
			t.Fatal(err)
		}
		if fresh.Rows() != 1 {
			t.Errorf("%s: a lent column has %d rows, want one", tt.kind, fresh.Rows())
		} else if _, keyed := fresh.(*column.LowCardinality); !keyed &&
			!reflect.DeepEqual(fresh.Row(0, false), tt.values[1]) {
			t.Errorf("%s: a lent column has %v, want %v", tt.kind, fresh.Row(0, false), tt.values[1])
		}
		if got := fieldsOf(reflect.TypeOf(fresh)); got != tt.fields {
			t.Errorf("%s: the driver's fields are %#x, known are %#x", tt.kind, got, tt.fields)
		}
	}
}

func made(t *testing.T, kind column.Type) column.Interface {
	t.Helper()
	c, err := kind.Column("c", &column.ServerContext{Timezone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fieldsOf is a fingerprint of the names and types of a struct's fields.
func fieldsOf(pointer reflect.Type) uint32 {
	sum := fnv.New32a()
	for i := range pointer.Elem().NumField() {
		f := pointer.Elem().Field(i)
		fmt.Fprintln(sum, f.Name, f.Type)
	}
	return sum.Sum32()
}
