package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"
)

// judged is a site whose answers over HTTP a test reads.
type judged struct {
	t    *testing.T
	site *server
	data string

	now     time.Time
	serials map[int]uint64 // the last of each client
	lost    uint64         // the one before the serial that was left out last
	files   [][]byte       // loaded, in this order
	dropped int
}

// get is the rows of an answer of the API.
func (j *judged) get(path string) []map[string]any {
	j.t.Helper()
	var answer struct {
		Rows    []map[string]any
		Classes []map[string]any
	}
	j.getInto(path, &answer)
	return append(answer.Rows, answer.Classes...)
}

func (j *judged) getInto(path string, answer any) {
	j.t.Helper()
	status, text := fetch(j.t, j.site.reports+path)
	if err := json.Unmarshal([]byte(text), answer); err != nil || status != http.StatusOK {
		j.t.Fatalf("%s answers %d: %s", path, status, tail(text, 500))
	}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// machinesOf is a number of machines; -1 where there is none.
func machinesOf(v any) int {
	n, ok := v.(float64)
	if !ok || n != math.Trunc(n) {
		return -1
	}
	return int(n)
}
