package tabular

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"time"
)

// parquetRows writes a Parquet file of one row group: plain values, not compressed, a page for each column. A column
// holds what its values are: booleans, whole numbers, floats, times; texts when they are of several kinds or there are
// none. Every column is optional. It is for the few rows of a command; the engine writes its own answers.
type parquetRows struct {
	out     *bufio.Writer
	columns []Column
	values  [][]any
}

func newParquet(out *bufio.Writer, columns []Column) *parquetRows {
	return &parquetRows{out: out, columns: columns, values: make([][]any, len(columns))}
}

func (w *parquetRows) row(values []any) error {
	for i, v := range values {
		w.values[i] = append(w.values[i], v)
	}
	return nil
}

// parquetMagic begins and ends a file.
const parquetMagic = "PAR1"

func (w *parquetRows) end([]Field) error {
	w.out.WriteString(parquetMagic) // bufio keeps the first error for Flush
	at := len(parquetMagic)
	chunks := make([]parquetChunk, len(w.columns))
	for i, c := range w.columns {
		chunks[i] = newChunk(c.Name, w.values[i])
		page := chunks[i].page(w.values[i])
		chunks[i].offset, chunks[i].bytes = at, len(page)
		at += len(page)
		w.out.Write(page)
	}
	foot := footer(chunks)
	w.out.Write(binary.LittleEndian.AppendUint32(foot, uint32(len(foot))))
	w.out.WriteString(parquetMagic)
	return w.out.Flush()
}

// parquetKind is a physical type, and what it stands for.
type parquetKind struct {
	physical int32 // Type of the format
	logical  int32 // ConvertedType of the format; -1 for none
}

var (
	parquetBool   = parquetKind{0, -1}
	parquetInt    = parquetKind{2, -1}
	parquetUint   = parquetKind{2, 14}
	parquetTime   = parquetKind{2, 10} // microseconds, UTC
	parquetDouble = parquetKind{5, -1}
	parquetText   = parquetKind{6, 0} // UTF-8
)

// kindOf is the one kind that holds every value of a column.
func kindOf(values []any) parquetKind {
	kinds := map[parquetKind]bool{}
	for _, v := range values {
		switch x := v.(type) {
		case nil:
		case bool:
			kinds[parquetBool] = true
		case int64:
			kinds[parquetInt] = true
		case uint64:
			kinds[parquetUint] = true
		case float64, json.Number:
			kinds[parquetDouble] = true
		case time.Time:
			if !x.IsZero() { // stands for none
				kinds[parquetTime] = true
			}
		default:
			return parquetText
		}
	}
	switch {
	case len(kinds) == 1:
		for kind := range kinds {
			return kind
		}
	case len(kinds) == 0 || kinds[parquetBool] || kinds[parquetTime]:
		return parquetText
	case kinds[parquetDouble]:
		return parquetDouble
	case slices.ContainsFunc(values, func(v any) bool { u, ok := v.(uint64); return ok && u > math.MaxInt64 }):
		return parquetText // below zero and above 2^63: no type of 64 bits holds both
	}
	return parquetInt
}

// parquetChunk is one column in the file.
type parquetChunk struct {
	name          string
	kind          parquetKind
	rows          int
	offset, bytes int
}

func newChunk(name string, values []any) parquetChunk {
	return parquetChunk{name: name, kind: kindOf(values), rows: len(values)}
}

// page is the column's page with its header: which rows have a value, then the values.
func (c parquetChunk) page(values []any) []byte {
	var there, data bytes.Buffer
	bits := make([]byte, (len(values)+7)/8)
	var bools []bool
	for i, v := range values {
		if at, ok := v.(time.Time); v == nil || ok && at.IsZero() {
			continue
		}
		bits[i/8] |= 1 << (i % 8)
		if b, ok := v.(bool); ok && c.kind == parquetBool {
			bools = append(bools, b)
			continue
		}
		data.Write(c.kind.encode(v))
	}
	data.Write(packed(bools))
	if len(values) > 0 {
		there.Write(binary.AppendUvarint(nil, uint64(len(bits))<<1|1)) // one run of bits, eight to a byte
		there.Write(bits)
	}
	body := binary.LittleEndian.AppendUint32(nil, uint32(there.Len()))
	body = append(append(body, there.Bytes()...), data.Bytes()...)
	return append(pageHeader(len(values), len(body)), body...)
}

func packed(bools []bool) []byte {
	out := make([]byte, (len(bools)+7)/8)
	for i, b := range bools {
		if b {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return out
}

// encode is one value in the format's plain encoding.
func (k parquetKind) encode(v any) []byte {
	switch k {
	case parquetDouble:
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(double(v)))
	case parquetText:
		text := bytes.ToValidUTF8([]byte(Text(v)), []byte("\ufffd"))
		return append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
	}
	var n uint64
	switch x := v.(type) {
	case int64:
		n = uint64(x)
	case uint64:
		n = x
	case time.Time:
		n = uint64(x.UnixMicro())
	}
	return binary.LittleEndian.AppendUint64(nil, n)
}

func double(v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case int64:
		return float64(x)
	case uint64:
		return float64(x)
	case json.Number:
		f, _ := x.Float64() // a number by its type
		return f
	}
	return 0
}
