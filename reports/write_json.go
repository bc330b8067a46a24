package reports

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Head is what stands before the rows of a JSON answer.
type Head struct {
	Report    string            `json:"report,omitempty"`
	Title     string            `json:"title,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
	Generated string            `json:"generated,omitempty"`
	Freshness *Freshness        `json:"freshness,omitempty"`
	Columns   []Column          `json:"columns"`
}

// writeJSON writes one object: what was asked, how old the data is, the columns, the rows, and where to go on.
// Rows are streamed; "rows" and "next" come last.
func writeJSON(w io.Writer, rows *Rows, age *Freshness) error {
	out := bufio.NewWriter(w)
	head := Head{Freshness: age, Columns: rows.Columns, Params: rows.Params}
	if rows.Report != nil {
		head.Report, head.Title = rows.Report.Name, rows.Report.Title
	}
	if age != nil {
		head.Generated = age.AsOf.Format(time.RFC3339)
	}
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	out.Write(text[:len(text)-1]) // bufio keeps the first error for Flush
	out.WriteString(`,"rows":[`)
	names := columnNames(rows.Columns)
	for n, row := 0, rows.Next(); row != nil; n, row = n+1, rows.Next() {
		if n > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		writeObject(out, names, row)
	}
	if rows.Err() != nil {
		return rows.Err() // the object stays open: no reader can take it for whole
	}
	out.WriteString("\n]")
	if rows.NextPage() != "" {
		fmt.Fprintf(out, `,"next":%q`, rows.NextPage())
	}
	fmt.Fprintf(out, `,"more":%t}`+"\n", rows.More())
	return flush(out, "json")
}

// writeJSONL writes one object per line.
func writeJSONL(w io.Writer, rows *Rows) error {
	out := bufio.NewWriter(w)
	names := columnNames(rows.Columns)
	for row := rows.Next(); row != nil; row = rows.Next() {
		writeObject(out, names, row)
		out.WriteByte('\n')
	}
	if err := flush(out, "jsonl"); err != nil {
		return err
	}
	return rows.Err()
}

// columnNames are the columns' names as JSON, made once.
func columnNames(columns []Column) [][]byte {
	names := make([][]byte, len(columns))
	for i, c := range columns {
		names[i] = jsonOf(c.Name)
	}
	return names
}

// writeObject keeps the columns in their order, which a map would not.
func writeObject(out *bufio.Writer, names [][]byte, row []any) {
	out.WriteByte('{')
	for i, v := range row {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(names[i])
		out.WriteByte(':')
		out.Write(jsonOf(v))
	}
	out.WriteByte('}')
}

func flush(out *bufio.Writer, what string) error {
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}
