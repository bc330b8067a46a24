package smx

import "time"

// Poll is what a client says of itself when it asks for its policy.
type Poll struct {
	Client     ClientID
	LastSerial uint64 // the last serial it gave to a message; 0 = none yet
	States     uint32 // numbered states that it holds, topic type 700 left out
	Digest     uint64 // StateDigest over them
	Unsent     uint32 // states that wait for a report or lie in one the relay has not taken; with any, Digest is not compared
}

// Policy is what the site wants of one client. The zero value of a field wants nothing: the client does as its own configuration says.
type Policy struct {
	Client         ClientID
	Resync         *ResyncRequest // nil asks for nothing
	SendInterval   time.Duration  // 0 = the client's own
	PolicyInterval time.Duration  // 0 = the client's own
	Topics         []TopicPolicy  // by type, ascending
	Relay          string         // base address that the client is assigned to; empty = the configured one
	Notifier       string         // address that the client is assigned to; empty = the configured one
}

// ResyncRequest asks a client to send its whole cache again under new serials, then "resync complete" (700, 2).
type ResyncRequest struct {
	Number     uint32    // counts this client's requests; each is carried out once
	NextSerial uint64    // the answer begins at the greater of this and the client's own next serial
	Issued     time.Time // UTC, to the second
	Reason     string    // missing, conflict, requested or differs
}

// TopicPolicy slows or pauses one topic type.
type TopicPolicy struct {
	Type     uint32
	Paused   bool          // its states are kept and sent once it is no longer paused
	Interval time.Duration // least time between two sends of the topic; 0 = as the rest
}

// StateDigest adds one state to a digest of many, in any order; start at 0. hash is the state's payload hash. The store computes
// the same as groupBitXor over the states' payload hashes.
func StateDigest(digest, hash uint64) uint64 { return digest ^ hash }
