package web

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Age is how old the figures of a page are.
type Age struct {
	AsOf    time.Time
	Text    string
	Stale   bool
	Refresh int // seconds
}

// Panel is one box of the dashboard. Exactly one of the parts is set, or Error.
type Panel struct {
	Name    string
	Title   string
	Link    string // the report page behind it
	Wide    bool
	Refresh int // seconds
	Error   string
	Empty   string // said in place of content there is none of
	Steps   []Step // what to do about it
	Notes   []Note

	Tiles    []Tile
	Subjects []Subject
	Chart    *Chart
	Days     *Days
	Lanes    *Lanes
	Bars     *BarList
	Stacks   []Stack
	Quiet    []Entry // topics not drawn
	Failures []Failure
	SetAside *SetAside
	Ring     *Ring
	Stages   []Stage
	Table    *Table
}

// Note is a sentence of a panel.
type Note struct {
	Text string
	Tone Tone
}

// Dashboard is the page at /.
type Dashboard struct {
	Machines Panel // how the machines stand: what the dashboard is opened for
	Trouble  Panel // deployments, the worst first
	Trend    Panel // how it went, day by day
	Tiles    Panel
	Panels   []Panel
}

// Completeness is the page at /completeness.
type Completeness struct {
	Tiles  Panel
	Panels []Panel
}

// Tile is one figure at the top.
type Tile struct {
	Label string
	Value string
	Note  string
	Link  string
	Tone  Tone
}

// Chart is lines over time; X holds Unix seconds.
type Chart struct {
	X      []int64
	Series []Series
	Daily  bool   // each point is a day, by its midnight in UTC
	Label  string // what is drawn
	Text   string // what the picture shows, for those who don't see it
	Link   string
}

// XJSON is X for the script.
func (c *Chart) XJSON() (string, error) { return asJSON(c.X) }

// SeriesJSON are the lines for the script.
func (c *Chart) SeriesJSON() (string, error) { return asJSON(c.Series) }

func asJSON(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// Series is one line of a chart.
type Series struct {
	Label  string `json:"label"`
	Unit   string `json:"unit,omitempty"` // "%" has an axis of its own, from 0 to 100
	Values Values `json:"values"`
}

// Lanes are the inbox folders.
type Lanes struct {
	Known   bool // false when this process sees no inbox
	Waiting int
	Rows    []Lane
}

// Lane is one inbox folder.
type Lane struct {
	Name, Label, Note, Link string
	Files                   int
	Bytes                   string
	Oldest                  string
	Tone                    Tone
}

// BarList is a list of counts with their share.
type BarList struct {
	Total int
	Rows  []Bar
}

// Bar is one count with its share of a whole, in percent.
type Bar struct {
	Label   string
	Count   int
	Percent float64
	Link    string
	Tone    Tone
}

// Stack is one topic with the share of each state.
type Stack struct {
	Title    string
	Subtitle string
	Link     string
	Total    int
	Segments []Segment
}

// Segment is one state of a stack. X and Percent are shares of the whole, in percent.
type Segment struct {
	Name    string
	Count   int
	Percent float64
	X       float64
	Link    string
	Tone    Tone
	Shade   int // 0 to 3: tells states of one tone apart
}

// Failure is one error code.
type Failure struct {
	Code, Meaning, State, Topic string
	Clients                     int
	Percent                     float64 // of the most frequent one
	Link                        string
}

// SetAside is what could not be loaded.
type SetAside struct {
	Files, Records         int // of the last day
	FilesLink, RecordsLink string
	Latest                 []SetAsideItem
}

// SetAsideItem is one file or record.
type SetAsideItem struct {
	When               time.Time
	What, Code, Reason string
	Link               string
}

// List is the page of all reports.
type List struct {
	Groups  []Group
	LeftOut []string
}

// Group is a heading with its reports.
type Group struct {
	Name    string
	Reports []Entry
}

// Entry is one report in the list.
type Entry struct{ Name, Title, Description, Link string }

// Report is the page of one report.
type Report struct {
	Name, Title, Description string
	Fields                   []Field
	Problem                  string // why there are no rows
	Missing                  bool   // required parameters are still to be filled in
	Columns                  []Column
	Rows                     [][]Cell
	Count                    string
	Empty                    string // why there is no row
	Stacks                   []Stack
	Chart                    *Chart
	First, Next              string
	Downloads                []Download
	Query                    string
}

// Field is one parameter of the form.
type Field struct {
	Name, Label, Value, Description string
	Required, Numeric               bool
	Options                         []Option
	Suggest                         string // where what is typed is answered with suggestions; empty: nowhere
	Date                            bool   // a day is chosen, Max at the latest
	Max                             string
}

// Option is one entry of a pick list.
type Option struct{ Value, Label string }

// Keep adds the value to the pick list that lacks it: what was given stays chosen.
func (f *Field) Keep() {
	if len(f.Options) > 0 && !slices.ContainsFunc(f.Options, func(o Option) bool { return o.Value == f.Value }) {
		f.Options = append(f.Options, Option{Value: f.Value, Label: f.Value})
	}
}

// Column is a table column.
type Column struct {
	Name, Note string
	Numeric    bool
}

// Cell is one value.
type Cell struct {
	Text    string
	Label   string // its column's, for screens that show a row as a card
	Full    string // what Text shortens
	Small   string // stands small beneath, as an id does beneath its title
	Link    string
	Time    string // RFC 3339, when it is a time
	Tone    Tone
	Share   float64
	Shared  bool // Share is to be drawn
	Wraps   bool // may take several lines, as a long id does
	Numeric bool
}

// Sentence says whether the text is one of several words and long, which may take several lines.
func (c Cell) Sentence() bool {
	return c.Time == "" && len(c.Text) > 28 && strings.Count(c.Text, " ") >= 3
}

// Download is one file form of the same answer.
type Download struct{ Label, Link string }

// Problem is the page that says an error.
type Problem struct {
	Status  int
	Title   string
	Detail  string
	Instead *Entry // where something of it is; nil: nowhere
}

// Step is a command, and where to run it.
type Step struct{ Where, Command string }
