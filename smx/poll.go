package smx

// Poll is what a client says of itself when it asks for its policy.
type Poll struct {
	Client     ClientID
	LastSerial uint64 // the last serial it gave to a message; 0 = none yet
	States     uint32 // numbered states that it holds, topic type 700 left out
	Digest     uint64 // StateDigest over them
	Unsent     uint32 // states that the relay has not taken yet; with any, Digest is not compared
}

// StateDigest adds one state to a digest of many, in any order; start at 0. hash is the state's payload hash. The store
// computes the same as groupBitXor over the states' payload hashes.
func StateDigest(digest, hash uint64) uint64 { return digest ^ hash }
