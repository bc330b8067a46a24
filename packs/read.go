package packs

import (
	"crypto/ed25519"
	"time"

	"statewire/trust"
)

// Fault is something in a pack that is not allowed, with its place. Lines and columns count from 1.
type Fault struct {
	Line, Column int
	Text         string // what is wrong, and what is allowed
}

// Faults are everything that is wrong with a pack, as far as it is told.
type Faults struct{ List []Fault }

func (f *Faults) Error() string { return f.List[0].Text }

// Parse reads a pack that is not sealed. What is wrong with it is a *Faults.
func Parse(xml []byte) (*Pack, error) { return nil, errUnfinished }

// Seal signs a pack with a pack key, once it is without a fault.
func Seal(xml []byte, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	return nil, errUnfinished
}

// Open reads a sealed pack that a pack key of the document signed.
func Open(sealed []byte, d *trust.Document, now time.Time) (*Pack, error) { return nil, errUnfinished }

// BuiltIn is the pack Statewire.Utility, which every site and every agent has.
func BuiltIn() *Pack { return nil }

// BuiltIns are what BuiltIn of an action may be.
var BuiltIns = [...]string{"policy", "send", "resync", "restart-agent", "collect-logs", "scan", "test-event",
	"quick-scan", "full-scan", "update-definitions"}

// Find is the task that a push may start by this name: its whole id, or the last part of it where only one ends so.
func (p *Pack) Find(name string) (Task, error) { return Task{}, errUnfinished }

// Follows says what keeps next from replacing old.
func Follows(old, next *Pack) error { return errUnfinished }
