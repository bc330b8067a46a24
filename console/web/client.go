package web

import (
	"slices"
	"time"
)

// Client is the page of one client.
type Client struct {
	Name, ID, Wire string
	Known          bool
	Summary        string
	Tone           Tone
	Header         []Tile
	Topic          string // the topic asked about, as it was given
	Facts          []Fact
	Next           []Next
	Line           *SerialLine
	Resyncs        []Resync
	Stands         *Stands // nil: of a client that is not known
	Timeline       *Timeline
	Filters        Filters
	Then           bool // the page is about another moment: nothing stands there that is about now
	States         []State
	AllStates      int
	StatesLink     string
	Serial         string // the serial asked about, as it was given
	Trace          *Trace
	Problem        string // why topic or serial could not be answered
	Tasks          []ClientTask
	Links          []Entry
	Age            Age
}

// ClientTask is something that the client was asked to do.
type ClientTask struct {
	Title, Link string
	Step        string
	Tone        Tone
	Why         string // it waits or was refused, or what it wrote
	At          time.Time
}

// Fact is one sentence with its weight.
type Fact struct {
	Text string
	Time time.Time
	Tone Tone
	Word string // the weight in a word, for those who don't see the colour
}

// Next is one thing to come.
type Next struct {
	Text string // with commands between backquotes
	At   time.Time
}

// Namesakes is the page of a name that several clients have.
type Namesakes struct {
	Name    string
	Clients []Namesake
}

// Namesake is one of them.
type Namesake struct {
	Name, ID, Link string
	LastReport     time.Time
}

// Resync is one resync with its steps.
type Resync struct {
	Number string
	Why    string
	Stages []Stage
	Open   bool
}

// Stage is one step of a resync, or one count of them.
type Stage struct {
	Label string
	At    time.Time // when it was reached
	Done  bool
	Now   bool // the step that the resync is in
	Count int
	Note  string
	Link  string
}

// State is one topic's current state.
type State struct {
	Title                         string // of the topic id; empty where that is its own
	Topic, Type, ID, Name, Serial string
	TopicLink, StateLink, Link    string
	Tone                          Tone
	Raised, Received              time.Time
	Unconfirmed                   bool
}

// Trace is one message's way.
type Trace struct {
	Serial, Summary string
	Tone            Tone
	Hops            []Hop
	Next            []Next
}

// Hop is one place on the way.
type Hop struct {
	Where, Text, Word, Version string
	Time                       time.Time
	Tone                       Tone
}

// SerialLine is a client's serials as a picture.
type SerialLine struct {
	Runs   []SerialRun
	Marks  []SerialMark
	From   string
	To     string
	Text   string // what the picture shows, in words
	Legend []LegendEntry
}

// Labelled says that at least one run has room for its label.
func (l SerialLine) Labelled() bool {
	return slices.ContainsFunc(l.Runs, func(r SerialRun) bool { return r.Label != "" })
}

// SerialRun is one run of serials; X and Width are shares of the picture, in percent.
type SerialRun struct {
	Kind     string // settled, received, missing, claimed or mixed
	X, Width float64
	Title    string
	Link     string
	Label    string // drawn below the run, when there is room
}

// SerialMark is one serial that stands out.
type SerialMark struct {
	Kind  string // aside, conflict or resync
	X     float64
	Title string
	Link  string
}

// LegendEntry is one kind of run or mark in the picture.
type LegendEntry struct{ Kind, Label string }

// Ring is a share drawn as a ring around its figure.
type Ring struct {
	Value   string
	Share   float64
	Tone    Tone
	Label   string
	Caption string
	Link    string
}

// Dash is the ring's drawn part in hundredths of its way round: what is missing stays visible.
func (r Ring) Dash() float64 {
	if r.Share >= 100 {
		return 100
	}
	return min(max(r.Share, 0), 98.6)
}

// Rest is the part that is not drawn.
func (r Ring) Rest() float64 { return 100 - r.Dash() }

// Table is a short list within a panel.
type Table struct {
	Columns []Column
	Rows    [][]Cell
}
