package reportstest

import (
	"regexp"
	"strings"
)

// held is what a seed was told and has not stored yet.
type held struct {
	reports  []Report
	messages []Message
	inserts  []string            // all before VALUES, in the order of their first use
	rows     map[string][]string // by insert
}

var insertForm = regexp.MustCompile(`(?s)^(INSERT INTO .*?)\s+VALUES\s+(.*)$`)

// insert keeps the rows of a statement; false when it is of another kind.
func (h *held) insert(statement string) bool {
	m := insertForm.FindStringSubmatch(statement)
	if m == nil {
		return false
	}
	into := strings.Join(strings.Fields(m[1]), " ")
	if h.rows[into] == nil {
		h.inserts = append(h.inserts, into)
	}
	h.rows[into] = append(h.rows[into], m[2])
	return true
}

// Together stores what fill tells in one insert for each table: each insert is a part of its own on disk, and hundreds
// of them take seconds. What fill asks for beyond that is done at once, before any of it is stored.
func (s *Seed) Together(fill func()) {
	s.T.Helper()
	h := &held{rows: map[string][]string{}}
	s.held = h
	fill()
	s.held = nil
	if len(h.reports) > 0 {
		s.Reports(h.reports...)
	}
	if len(h.messages) > 0 {
		s.Messages(h.messages...)
	}
	for _, into := range h.inserts {
		s.Exec(into + " VALUES " + strings.Join(h.rows[into], ", "))
	}
}
