package identity

import (
	"slices"
	"strings"
	"testing"
)

// spelled is the table as people agreed on it, written anew: role letters and a for audited, u for never with a scope.
const spelled = `
report.read v client.read v explain.read v trace.read v task.read v pack.read v sql.read oau
resync.request oa resync.accept oa policy.set oa collection.write oa dead.replay oa names.write oa target.set oa
client.retire oa relief.apply oa
task.push.benign oa task.push.disruptive oa2 task.push.destructive Aa! task.cancel oa notify.stop oa
task.approve Aa dead.drop Aa client.delete Aa enroll.token Aa client.approve Aa client.revoke Aa pack.import Aa
pack.assign Aa token.create Aa token.list Aa token.revoke Aa audit.read Aa audit.export Aa notify.resume Aa
site.config Aa hierarchy.change Aa`

func TestTheTableOfPermissionsIsTheOneAgreedOn(t *testing.T) {
	words := strings.Fields(spelled)
	if len(words) != 2*len(Rights()) {
		t.Errorf("the table has %d rows, want %d", len(Rights()), len(words)/2)
	}
	for i := 0; i < len(words); i += 2 {
		right, ok := RightOf(Permission(words[i]))
		marks := words[i+1]
		least := map[byte]Role{'v': Viewer, 'o': Operator, 'A': Admin}[marks[0]]
		second := SecondNever
		switch {
		case strings.HasSuffix(marks, "2"):
			second = SecondAbove
		case strings.HasSuffix(marks, "!"):
			second = SecondEver
		}
		want := Right{Permission(words[i]), least, strings.Contains(marks, "a"), second, strings.Contains(marks, "u")}
		if !ok || right != want {
			t.Errorf("%+v, want %+v", right, want)
		}
	}
}

func TestARoleHasWhatTheLesserOnesHaveAndAnUnknownOneHasNothing(t *testing.T) {
	for _, tc := range []struct {
		role, other Role
		has         bool
	}{
		{Viewer, Viewer, true}, {Viewer, Operator, false}, {Viewer, Admin, false},
		{Operator, Viewer, true}, {Operator, Operator, true}, {Operator, Admin, false},
		{Admin, Viewer, true}, {Admin, Operator, true}, {Admin, Admin, true},
		{"", Viewer, false}, {"root", Viewer, false}, {Admin, "", false}, {Admin, "root", false}, {"", "", false},
	} {
		if tc.role.Has(tc.other) != tc.has {
			t.Errorf("%q has %q: %v", tc.role, tc.other, !tc.has)
		}
	}
}

func TestEveryNeedNamesAPermissionOfTheTableOrSaysWhyNot(t *testing.T) {
	seen := map[string]bool{}
	for _, need := range Needs() {
		key := string(need.Door) + " " + need.Name
		if seen[key] {
			t.Errorf("%s has two rows", key)
		}
		seen[key] = true
		none := need.Permission == ""
		if _, known := RightOf(need.Permission); known == none || (need.Why == "") == none {
			t.Errorf("%s: permission %q, why %q", key, need.Permission, need.Why)
		}
		scopes := []Scope{WholeSite, ByCollection, ByClient, ByTask, NoClient}
		if slices.Contains(scopes, need.Scope) != (need.Door == AtPages) {
			t.Errorf("%s has scope %q", key, need.Scope)
		}
		if got, ok := NeedOf(need.Door, need.Name); !ok || got != need {
			t.Errorf("%s is found as %+v", key, got)
		}
	}
	if _, ok := NeedOf(AtPages, "POST /api/v1/reports"); ok {
		t.Error("a route without a row has one")
	}
}
