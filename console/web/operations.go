package web

import "time"

// Operations is the page at /operations.
type Operations struct {
	Refresh  int    // seconds
	Address  string // of this page, with its parameters
	Open     bool   // only those that wait for something are shown
	Other    string // the page with the others
	Problem  string // why there is no list
	Instead  *Entry // what the store has in its place
	Stopped  string // nothing is sent; empty: tasks are sent
	Rows     []OperationRow
	Full     bool // there are more than the page shows
	Age      Age
	Commands []Step // how to ask for a first one
}

// OperationRow is one operation of the list.
type OperationRow struct {
	Stack
	State string
	Tone  Tone
	For   string
	By    string
	Why   string // the reason that was given
	Made  time.Time
	Until time.Time
	Ended int
}

// Operation is the page of one client operation.
type Operation struct {
	OperationRow
	ID          string
	GUID        string
	Refresh     int    // seconds; 0: nothing changes any more
	Address     string // of this page, with its parameters
	Stopped     string
	Facts       []Fact
	Step        string // only clients in this step are shown
	All         string // the page with all of them
	Clients     []OperationClient
	First, Next string
	Age         Age
}

// OperationClient is how far one client is.
type OperationClient struct {
	Name, ID, Link string
	Step           string
	Tone           Tone
	Why            string
	At             time.Time
	Server         string
	Exit           string
	Output         string
}
