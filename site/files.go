package site

const (
	// mostFiles stands for no limit.
	mostFiles = 1 << 30
	// stageFiles is what the stages of a process need beside the connections of clients: the store's engine, sockets.
	stageFiles = 512
	// idleBytes is what a client that is connected takes of the memory, and waitingBytes one that waits at the relay: 29
	// and 75 KB were measured, with 1,500 of them.
	idleBytes, waitingBytes = 30 << 10, 80 << 10
)

// channelClients is how many clients may wait at the relay: as notifier.max_http says, or fewer where the process may
// not have the files. Whatever they take is beside the connections of those who report.
func (s *Site) channelClients() int {
	share, each := 2, 1
	if !s.cfg.Roles.Has("notifier") {
		share, each = 5, 2 // nobody else's connections are here; each has another one to the notifier
	}
	return max(1, min(s.cfg.Settings.Notifier.MaxHTTP, (openFiles()-s.relayFiles()-stageFiles)*share/5/each))
}

// otherFiles is what the process needs beside the notifier's own connections.
func (s *Site) otherFiles() int {
	if !s.cfg.Roles.Has("relay") {
		return stageFiles + min(s.cfg.Settings.Notifier.MaxHTTP, openFiles()*2/5) // the relay's process passes them on
	}
	return s.relayFiles() + stageFiles + min(s.cfg.Settings.Notifier.MaxHTTP, (openFiles()-s.relayFiles()-stageFiles)*2/5)
}

func (s *Site) relayFiles() int {
	return s.cfg.Settings.Relay.MaxConnections + s.cfg.Settings.Relay.MaxHandshakes
}
