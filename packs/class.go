package packs

import "slices"

// Class is how much a task can do to a machine.
type Class string

// The classes, from the lowest.
const (
	Benign      Class = "benign"
	Disruptive  Class = "disruptive"
	Destructive Class = "destructive"
)

var classes = [...]Class{Benign, Disruptive, Destructive}

// Known says whether the class is one of the three.
func (c Class) Known() bool { return slices.Contains(classes[:], c) }

// Above says whether the class can do more than another. One that is not known can do more than each that is.
func (c Class) Above(other Class) bool { return c.rank() > other.rank() }

func (c Class) rank() int {
	if i := slices.Index(classes[:], c); i >= 0 {
		return i
	}
	return len(classes)
}
