// Package policy is the document that tells a client what the site wants of it: written by the site, read by the
// client. A document is read whole or refused: half a policy is not what the site asked for.
package policy

import (
	"time"

	"statewire/smx"
)

const (
	// MaxBytes bounds a policy document.
	MaxBytes = 256 << 10
	// MaxTopics bounds the topic types that a policy speaks of.
	MaxTopics = 1000
	// MaxInterval bounds every interval of a policy.
	MaxInterval = 366 * 24 * time.Hour
	// MaxTrustBytes bounds each of the two texts of a Trust.
	MaxTrustBytes = 64 << 10
	// MaxTasks and MaxTaskBytes bound the tasks of a policy, and all their envelopes together.
	MaxTasks     = 32
	MaxTaskBytes = 96 << 10
)

const (
	rootName = "Policy"
	version  = "1"
)

// Document is what the site wants of one client. The zero value of a field wants nothing: the client does as its own
// configuration says.
type Document struct {
	Client         smx.ClientID
	Resync         *Resync       // nil asks for nothing
	SendInterval   time.Duration // 0 = the client's own
	PolicyInterval time.Duration // 0 = the client's own
	Topics         []Topic       // by type, ascending
	Relay          string        // base address that the client is assigned to; empty = the configured one
	Notifier       string        // HOST:PORT, or :PORT of the relay's host; empty = port 10123 there
	Trust          *Trust        // nil says nothing of whom to believe
	Tasks          [][]byte      // signed requests of lasting tasks, each as JSON: they are believed for their signature
}

// Trust is whom a client is to believe from now on. At least one of its fields is there.
type Trust struct {
	CA       []byte // every authority of the site, in PEM: certificates and nothing else; nil says nothing of them
	Document []byte // the signed trust document, as JSON; nil = the one that the client has
}

// Resync asks a client to send its whole cache again under new serials, then "resync complete" (700, 2).
type Resync struct {
	Number     uint32    // counts this client's requests; each is carried out once
	NextSerial uint64    // the answer begins at the greater of this and the client's own next serial
	Issued     time.Time // UTC, to the second
	Reason     string    // missing, conflict, requested or differs
	Accepted   bool      // a person accepted NextSerial: it is taken however far it is above the client's own
}

// Topic slows or pauses one topic type.
type Topic struct {
	Type     uint32
	Paused   bool          // its states are kept and sent once it is no longer paused
	Interval time.Duration // least time between two sends of the topic; 0 = as the rest
}
