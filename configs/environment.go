package configs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"statewire/internal/parse"
)

// envPrefix begins the names of all variables that are ours.
const envPrefix = "STATEWIRE_"

// EnvName is the environment variable of a key: relay.listen is STATEWIRE_RELAY_LISTEN.
func EnvName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// readEnv takes the variables of the environment that are ours. One that is no key's is an error: it was meant to set
// something.
func (l *loader) readEnv(env []string) {
	keys, names := map[string]string{}, make([]string, 0, len(l.known))
	for _, key := range l.known {
		name := EnvName(key)
		keys[name], names = key, append(names, name)
	}
	for _, entry := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(strings.ToUpper(name), envPrefix) || foreign(name, value) {
			continue
		}
		if l.readSecret(name, value) {
			continue
		}
		if key, ok := keys[name]; ok {
			l.set(key, value, "environment "+name)
			continue
		}
		hint := "; relay.listen is " + EnvName("relay.listen") + ", and `statewire config show` lists every key"
		if near := parse.Nearest(strings.ToUpper(name), names); near != "" {
			hint = "; did you mean " + near + "?"
		}
		l.errs = append(l.errs, fmt.Errorf("environment: unknown variable %.80s%s", name, hint))
	}
}

// serviceLink are the variables that Kubernetes and Docker give to every container beside a service called statewire.
var serviceLink = regexp.MustCompile(
	`_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// foreign says that a variable with our prefix sets nothing of ours: it is for the program's tests, or describes a
// service.
func foreign(name, value string) bool {
	return strings.HasPrefix(name, envPrefix+"TEST_") || serviceLink.MatchString(name) ||
		strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}
