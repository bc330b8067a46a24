package identity

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page says what the users of roles may call, and the program's table agrees with it.
func TestTheCallsOfRolesAreThoseOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/split-roles.md")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{}
	names := regexp.MustCompile("`(POST /[a-z/-]+)`")
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		for _, name := range names.FindAllStringSubmatch(cells[1], -1) {
			for i, role := range []string{"relay", "notifier", "fsp"} {
				if strings.TrimSpace(cells[2+i]) == "yes" {
					said[name[1]] = append(said[name[1]], role)
				}
			}
		}
	}
	for _, call := range RoleCalls() {
		if !slices.Equal(said[call.Name], call.Roles) {
			t.Errorf("%s: the page says %v, the program %v", call.Name, said[call.Name], call.Roles)
		}
		if need, ok := NeedOf(call.Door, call.Name); !ok || need.Permission != "" {
			t.Errorf("%s at %s is no call of the site's own processes: %+v", call.Name, call.Door, need)
		}
		delete(said, call.Name)
	}
	if len(said) > 0 {
		t.Errorf("the page has %v besides", said)
	}
	for _, never := range []string{"POST /identity/token/create", "POST /identity/client/revoke",
		"POST /identity/api-token/create", "POST /identity/backup", "POST /resync/request", "POST /resync/policy/set"} {
		for _, role := range []string{"relay", "notifier", "fsp", "site", ""} {
			if RoleMay(role, AtIdentity, never) || RoleMay(role, AtResync, never) {
				t.Errorf("%s may call %s", role, never)
			}
		}
	}
}
