package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"statewire/cmd/statewire/cli"
	"statewire/site"
)

// unserved is the check of a store that no process serves.
func (g *globals) unserved() check {
	for _, role := range site.StoreRoles {
		pid := site.Holder(g.Data, role)
		if pid == 0 {
			continue
		}
		why, err := os.ReadFile(site.ProblemFile(g.Data))
		if err == nil {
			return check{"store", cli.HealthCritical, "does not open: " + strings.TrimSpace(string(why))}
		}
		return check{"store", cli.HealthUnknown, fmt.Sprintf("process %d has not opened it yet; its log says what it waits for", pid)}
	}
	return check{"store", cli.HealthUnknown, "no site runs; stored bytes " + fmt.Sprint(folderBytes(filepath.Join(g.Data, "store")))}
}
