package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"statewire/cmd/statewire/cli"
	"statewire/configs"
)

// wrongValues has a value for one key of every section that nobody may start with.
var wrongValues = map[string]string{
	"relay.auth": "none", "fsp.messages": "many", "ingest.loader_threads": "0", "store.tls": "maybe",
	"resync.max_outstanding": "0", "clients.retire_after": "1h", "identity.renew_grace": "-1h", "enroll.per_hour": "-1",
	"reports.max_rows": "0", "notifier.throttle": "0", "tasks.confirm_above": "-1",
	"agent.send_interval": "0s",
}

// A wrong value stops the commands that use its section, and only those.
func TestAWrongValueStopsWhoeverUsesIt(t *testing.T) {
	uses := map[string]string{
		"audit list": "store", "audit export": "store", "audit verify": "store",
		"agent run": "agent", "agent enroll": "agent", "agent send": "agent", "agent status": "agent", "fleet": "store",
		"fleet verify":  "store",
		"store migrate": "store",
		"sql":           "store reports", "report": "store reports", "compliance": "store reports",
		"report list": "store reports", "status": "store ingest", "summary rebuild": "store",
		"names load": "store ingest resync", "target set": "store ingest resync",
		"dead list": "store ingest", "dead drop": "store ingest", "account": "store ingest reports",
		"collection list": "store ingest resync",
		"client retire":   "store ingest resync",
		"load":            "store ingest", "ingest": "store ingest", "resync list": "store ingest resync",
		"policy list": "store ingest resync",
		"notify":      "store", "notify stop": "store", "tasks show": "store", "tasks approve": "store",
		"enroll pause": "identity enroll", "backup": "identity enroll", "client list": "identity enroll",
		"ca stage":   "identity enroll",
		"token list": "identity enroll",
		"explain":    "store reports ingest resync agent notifier",
		"trace":      "store reports ingest resync agent notifier",
		"trust init": "none", "trust load": "none", "trust next": "none", "trust offline": "none", "trust show": "none",
		"trust sign": "none", "split setup": "none", "role enroll": "none", "role renew": "none",
		"serve": "", "demo": "", "config check": "", "config show": "",
	}
	for _, cmd := range (&globals{}).root().Commands() {
		if !cmd.Hidden && !slices.ContainsFunc(slices.Collect(maps.Keys(uses)),
			func(path string) bool { return strings.HasPrefix(path+" ", cmd.Name()+" ") }) {
			t.Errorf("which sections does %s use?", cmd.Name())
		}
	}
	for path, used := range uses {
		cmd, _, err := (&globals{}).root().Find(strings.Fields(path))
		if err != nil || !strings.HasSuffix(cmd.CommandPath(), path) {
			t.Errorf("there is no command %s: %v", path, err)
			continue
		}
		for key, value := range wrongValues {
			section, _, _ := strings.Cut(key, ".")
			_, _, err := configs.Load(configs.Source{
				Env: []string{configs.EnvName("relay.listen") + "=0.0.0.0:1", configs.EnvName(key) + "=" +
					value}, Sections: cli.Sections(cmd),
			})
			if stops := used == "" || slices.Contains(strings.Fields(used), section); (err != nil) != stops {
				t.Errorf("%s with %s=%s: %v; it uses %q", path, key, value, err, used)
			}
		}
	}
}
