package notifier

// mostConnections has no bound: this system sets no such limit.
func mostConnections(int) int { return 1 << 30 }
