package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// Sections are the parts of the configuration that a command uses, and so the only ones whose values can stop it: an
// agent does not end because the relay's key is wrong in the same file. nil is all of them, for commands that run or
// check a whole site.
func Sections(cmd *cobra.Command) []string {
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	top, _, _ := strings.Cut(path, " ")
	switch path {
	case "client retire", "client unretire", "client delete":
		top = "resync"
	}
	switch top {
	case "trust", "split", "role":
		return []string{} // keys and documents in folders
	case "enroll", "client", "ca", "backup", "token":
		return []string{"identity", "enroll"}
	case "agent":
		return []string{"agent"}
	case "audit":
		return []string{"store"} // whose heads it may be compared with
	case "fleet", "store", "summary", "notify", "tasks": // the last two look for computer names
		return []string{"store"}
	case "report", "compliance", "sql":
		return []string{"store", "reports"}
	case "explain", "trace":
		return []string{"store", "reports", "ingest", "resync", "agent", "notifier"} // whose intervals say what happens next
	case "account":
		return []string{"store", "ingest", "reports"}
	case "status", "ingest", "load", "dead":
		return []string{"store", "ingest"}
	case "resync", "collection", "policy", "names", "target":
		return []string{"store", "ingest", "resync"}
	}
	return nil
}
