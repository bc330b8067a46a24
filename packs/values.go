package packs

import (
	"errors"
	"time"
)

// Type is what a parameter's values are.
type Type string

// The types of parameters.
const (
	String   Type = "string"
	Int      Type = "int"
	Bool     Type = "bool"
	Enum     Type = "enum"
	Duration Type = "duration"
	GUID     Type = "guid"
)

// Parameter is what a task or a rule may be given.
type Parameter struct {
	Name        string
	Type        Type
	MaxLength   int    // of a string, in characters
	Pattern     string // of a string: RE2, for the whole of it
	Min, Max    int64  // of an int
	Shortest    time.Duration
	Longest     time.Duration
	Values      []string // of an enum
	Default     string
	HasDefault  bool
	Required    bool // it must be given
	Overridable bool // it may be given
}

// Value is a parameter with its value.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// What is wrong with a value that was given.
const (
	BadParameter   = "bad_parameter"
	NotOverridable = "not_overridable"
)

// ValueError says which parameter may not have the value that it was given.
type ValueError struct {
	Code   string // BadParameter or NotOverridable
	Name   string
	Detail string // what is allowed; it never repeats the value
}

func (e *ValueError) Error() string { return e.Code + " " + e.Name + ": " + e.Detail }

var errUnfinished = errors.New("not finished yet")

// Values are the values that a task runs with: those that were given, and the defaults of the others. Only what was
// given is sent to a client: it fills in the defaults itself. The error is a *ValueError.
func (t Task) Values(given []Value) ([]Value, error) { return nil, errUnfinished }

// Fill is the command's arguments, each $(Name) replaced by its value. A value stays within its argument.
func (c *Command) Fill(values []Value) []string { return nil }

// Environment has a variable SW_Name for each value.
func Environment(values []Value) []string { return nil }
