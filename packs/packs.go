// Package packs knows management packs: what a machine may be asked and what it watches. What a pack says is checked
// before anything of it is used, a pack that is changed by one bit is refused, and nothing that a task is given is ever
// pasted into a text that a shell reads.
package packs

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// PayloadType is what the envelope of a sealed pack says it holds.
const PayloadType = "application/vnd.statewire.managementpack+xml"

// Pack is a management pack as it was written and checked.
type Pack struct {
	ID       string
	Version  Version
	Name     string
	Hash     string // "sha256:" and the hex SHA-256 of the exact bytes
	OS       string // linux, windows or darwin; empty: all
	MinAgent string // the lowest version of the agent; empty: any

	Topics    []Topic
	Tasks     []Task
	Rules     []Rule
	Baselines []Baseline
	Overrides []Override
}

// Fits says whether the pack is for an operating system, named as runtime.GOOS is.
func (p *Pack) Fits(os string) bool { return p.OS == "" || p.OS == os }

// HashOf is the hash of the bytes of a pack.
func HashOf(xml []byte) string {
	sum := sha256.Sum256(xml)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Topic is a kind of state messages that a pack brings.
type Topic struct {
	Type   uint32
	Name   string
	IDType uint32
	States []State
}

// State is a state of a topic; its class is one of the state classes that reports count by.
type State struct {
	ID    uint32
	Name  string
	Class string
}

// Task is what a machine may be asked.
type Task struct {
	ID         string
	Name       string // what it does, for people
	Public     bool   // false: only rules of its pack use it
	Class      Class
	Timeout    time.Duration
	Repeatable bool // it may run again after it was interrupted
	Remotable  bool // it may be asked for by push
	Probe      bool // it only looks
	Parameters []Parameter
	Action     Action

	OutputLimit int // bytes of output that are kept
}

// Rule is what a machine watches.
type Rule struct {
	ID         string
	Enabled    bool
	Interval   time.Duration
	Timeout    time.Duration
	Parameters []Parameter
	Action     Action
	Map        Map
}

// Map says which state the outcome of a rule's action is: the first case that fits, else the default.
type Map struct {
	TopicType uint32
	TopicID   string // with $(Name) of parameters
	Cases     []Case
	Default   uint32 // a state
	Params    []Param
}

// Case is an exit code or a pattern of the first line of output, and the state that it means.
type Case struct {
	Exit  *int32
	Match string
	State uint32
}

// Param travels along with a state. It has $(Name) of parameters, and $(Output.Line1).
type Param struct {
	Text   string
	Raises bool // the state is raised again when it changes
}

// Baseline is a set of rules that is reported as one.
type Baseline struct {
	ID    string
	Name  string
	Rules []string // their ids
}

// Override changes a rule or a task of another pack for a collection.
type Override struct {
	Target     string // id of a rule or task
	Parameter  string // of the target, or Enabled or Interval of a rule
	Collection string
	Value      string
}

// Action is what is done: exactly one of these.
type Action struct {
	BuiltIn string // one of BuiltIns
	Command *Command
	Script  *Script
}

// Command is a program with its arguments. No shell is between.
type Command struct {
	Path string   // absolute
	Args []string // with $(Name) of parameters; Fill replaces them
}

// Script is a text for an interpreter. It finds its parameters in its environment.
type Script struct {
	Interpreter string // absolute
	Text        []byte
}
