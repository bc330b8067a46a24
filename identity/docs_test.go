package identity

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The tables of docs/access.md are those of the program. UPDATE_GOLDEN=1 writes them anew.
func TestTheTablesOfTheDocumentationAreTrue(t *testing.T) {
	const path = "../docs/access.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for name, rows := range map[string][]string{"permissions": permissionRows(), "paths": pathRows()} {
		begin := "<!-- " + name + ": a test holds this table to the program's -->\n"
		before, rest, ok := strings.Cut(page, begin)
		// The comment stands behind the table: within it the table would end there.
		head, table := before[:strings.LastIndex(before, "|---|")], ""
		_, table, _ = strings.Cut(before[len(head):], "\n")
		want := strings.Join(rows, "\n") + "\n"
		if !ok {
			t.Fatalf("%s has no table of %s", path, name)
		}
		if table != want && os.Getenv("UPDATE_GOLDEN") == "" {
			t.Errorf("%s: the table of %s is\n%swant\n%s", path, name, table, want)
		}
		page = strings.TrimSuffix(before, table) + want + begin + rest
	}
	if os.Getenv("UPDATE_GOLDEN") != "" && page != string(text) {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func permissionRows() (rows []string) {
	for _, r := range Rights() {
		row := fmt.Sprintf("| `%s`", r.Permission)
		for _, role := range Roles() {
			row += " | " + map[bool]string{true: "yes", false: "–"}[role.Has(r.Least)]
		}
		rows = append(rows, row+" | "+map[bool]string{true: "yes", false: "–"}[r.Audited]+
			map[bool]string{true: "; never with a token for some collections"}[r.Unscoped]+" |")
	}
	return rows
}

func pathRows() (rows []string) {
	about := map[Scope]string{WholeSite: "the whole site", ByCollection: "the clients of `collection`",
		ByClient: "one client",
		ByTask:   "tasks for clients that the caller may see",
		NoClient: "no client"}
	for _, n := range Needs() {
		if n.Door != AtPages || n.Name == "/" {
			continue
		}
		permission := "`" + string(n.Permission) + "`"
		if n.Permission == "" {
			permission = "none: " + n.Why
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", strings.Replace(n.Name, "{$}", "", 1), permission,
			about[n.Scope]))
	}
	return rows
}
