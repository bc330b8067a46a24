package tabular

import "encoding/binary"

// Parquet's own records are structs of Thrift's compact protocol. These are the few of its types that such a file
// needs.
const (
	thriftInt32  = 5
	thriftInt64  = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// thrift writes one struct: fields in rising order of their numbers, then stop.
type thrift struct {
	out  []byte
	last int
}

func (t *thrift) field(id, typ int) {
	t.out = append(t.out, byte((id-t.last)<<4|typ))
	t.last = id
}

func (t *thrift) int32(id int, v int32) {
	t.field(id, thriftInt32)
	t.out = binary.AppendVarint(t.out, int64(v))
}

func (t *thrift) int64(id int, v int) {
	t.field(id, thriftInt64)
	t.out = binary.AppendVarint(t.out, int64(v))
}

func (t *thrift) text(id int, s string) {
	t.field(id, thriftBinary)
	t.out = append(binary.AppendUvarint(t.out, uint64(len(s))), s...)
}

func (t *thrift) record(id int, r []byte) {
	t.field(id, thriftStruct)
	t.out = append(t.out, r...)
}

func (t *thrift) list(id, typ int, items ...[]byte) {
	t.field(id, thriftList)
	if len(items) < 15 {
		t.out = append(t.out, byte(len(items)<<4|typ))
	} else {
		t.out = binary.AppendUvarint(append(t.out, byte(0xf0|typ)), uint64(len(items)))
	}
	for _, item := range items {
		t.out = append(t.out, item...)
	}
}

func (t *thrift) stop() []byte { return append(t.out, 0) }

// Encodings of the format.
const (
	encodingPlain = 0
	encodingRLE   = 3
)

// pageHeader is a PageHeader: a data page of so many values and bytes.
func pageHeader(values, bytes int) []byte {
	var data, page thrift
	data.int32(1, int32(values))
	data.int32(2, encodingPlain)
	data.int32(3, encodingRLE) // which rows have a value
	data.int32(4, encodingRLE)
	page.int32(1, 0)
	page.int32(2, int32(bytes))
	page.int32(3, int32(bytes))
	page.record(5, data.stop())
	return page.stop()
}

// footer is the FileMetaData.
func footer(chunks []parquetChunk) []byte {
	rows, size := 0, 0
	schema := [][]byte{schemaRoot(len(chunks))}
	var columns [][]byte
	for _, c := range chunks {
		rows, size = c.rows, size+c.bytes
		schema = append(schema, c.schema())
		columns = append(columns, c.meta())
	}
	var group, file thrift
	group.list(1, thriftStruct, columns...)
	group.int64(2, size)
	group.int64(3, rows)
	file.int32(1, 1)
	file.list(2, thriftStruct, schema...)
	file.int64(3, rows)
	file.list(4, thriftStruct, group.stop())
	file.text(6, "statewire")
	return file.stop()
}

func schemaRoot(columns int) []byte {
	var root thrift
	root.text(4, "rows")
	root.int32(5, int32(columns))
	return root.stop()
}

// schema is the column's SchemaElement.
func (c parquetChunk) schema() []byte {
	var s thrift
	s.int32(1, c.kind.physical)
	s.int32(3, 1) // optional
	s.text(4, c.name)
	if c.kind.logical >= 0 {
		s.int32(6, c.kind.logical)
	}
	return s.stop()
}

// meta is the column's ColumnChunk with its ColumnMetaData.
func (c parquetChunk) meta() []byte {
	var meta, chunk thrift
	meta.int32(1, c.kind.physical)
	meta.list(2, thriftInt32, binary.AppendVarint(nil, encodingPlain), binary.AppendVarint(nil, encodingRLE))
	meta.list(3, thriftBinary, append(binary.AppendUvarint(nil, uint64(len(c.name))), c.name...))
	meta.int32(4, 0) // not compressed
	meta.int64(5, c.rows)
	meta.int64(6, c.bytes)
	meta.int64(7, c.bytes)
	meta.int64(9, c.offset)
	chunk.int64(2, c.offset)
	chunk.record(3, meta.stop())
	return chunk.stop()
}
