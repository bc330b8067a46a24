package web

import "time"

// Filters are the fields above a list, and where they lead.
type Filters struct {
	Action string
	Hidden []Field // stay as they are
	Fields []Field
	Search Field
}

// Tab is one of several lists of a page.
type Tab struct {
	Title, Link string
	Current     bool
}

// Chip is one choice of a filter with what it would show.
type Chip struct {
	Label, Link, Count string
	Tone               Tone
	Current            bool
}

// Compliance is the page at /compliance.
type Compliance struct {
	Tabs     []Tab
	Filters  Filters
	Sentence string
	Subjects []Subject
	Table    *Report // a list that is no subjects' bars
	Problem  string
	Empty    string
	Count    string
	First    string
	Next     string
	Export   []Download
}

// Subject is one line of the list: what compliance is asked about, and how its machines stand.
type Subject struct {
	Stack
	ID       string // small beneath; empty where the title is the id
	Severity string
	Percent  string // in words where there is none
	Note     string
	Tone     Tone
}

// SubjectPage is the page of one subject.
type SubjectPage struct {
	Kind, ID, Title string
	Article         *Link // nil: none is known
	Facts           []Term
	Filters         Filters
	Problem         string
	Bar             Stack
	Sum             string // the counts written out, and what they add up to
	Percent         []Tile
	Why             []string
	Causes          []Cause
	Chips           []Chip
	Trend, BurnDown *Days
	Remedy          *Remedy
	Machines        *Report
	Commands        []Step
	Up              string // the list that it stands in
}

// Link leads out of the site: only addresses of the web ever do.
type Link struct{ Title, Address string }

// Term is one thing that is known, with its name.
type Term struct {
	Name, Text, Link string
	At               time.Time
}

// Cause is why machines are not known, and what helps.
type Cause struct {
	Title, Helps, Link string
	Machines           int
}

// Machines is the page at /machines.
type Machines struct {
	Chips   []Chip
	Filters Filters
	Table   *Report
	Problem string
}

// Collections is the page at /collections.
type Collections struct {
	Filters  Filters
	Table    *Report
	Problem  string
	Commands []Step
}

// Names is the page at /names.
type Names struct {
	Tabs     []Tab
	Filters  Filters
	Table    *Report
	Problem  string
	Commands []Step
}

// Stands is how one client stands on what it told of, by kind.
type Stands struct {
	Title       string
	Link, Label string
	Kinds       []StandsOfKind
	Empty       string
	Problem     string
}

// StandsOfKind are a client's subjects of one kind.
type StandsOfKind struct {
	Title string
	Rows  []Stand
}

// Stand is one of them.
type Stand struct {
	Title, Link, ID, Class string
	Tone                   Tone
	Since                  time.Time
}
