package web

import (
	"encoding/json"
	"math"
	"time"
)

// Then says that a page is about another moment than now.
type Then struct {
	Text    string
	Members string // of when those of collections are; empty on a page that counts nobody
	Now     string // the same page as it is now
}

// Days are figures day by day: a picture, and the table behind it.
type Days struct {
	Name    string // ids on the page begin with it
	Chart   *Chart // nil: there is no day yet
	Table   *Table // the newest day first
	Exports []Download
	Empty   string
	Problem string
}

// Values are the heights of a line. One that is not known is NaN, and null for the script: the line has a gap there.
type Values []float64

// MarshalJSON writes them for the script.
func (v Values) MarshalJSON() ([]byte, error) {
	out := make([]*float64, len(v))
	for i := range v {
		if !math.IsNaN(v[i]) {
			out[i] = &v[i]
		}
	}
	return json.Marshal(out)
}

// Remedy is how long machines took to get what they needed.
type Remedy struct {
	Sentence string
	Table    *Table // nil: no machine ever needed it
	Exports  []Download
	Link     string
	Problem  string
}

// Timeline is how a client's classes changed, the latest first.
type Timeline struct {
	Days    int
	Rows    []Change
	Link    string // the report with all of them
	More    bool   // it has more than these
	Empty   string
	Problem string
}

// Change is one change of a client's class on a subject.
type Change struct {
	At           time.Time
	Title, Link  string
	ID           string // small beneath; empty where the title is the id
	Before       Word
	After        Word
	State, Trace string // what it said, and where that message is followed
}

// Word is a class with its tone.
type Word struct {
	Text string
	Tone Tone
}
