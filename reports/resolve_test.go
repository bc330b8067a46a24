package reports_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"statewire/internal/tabular"
	"statewire/reports"
	"statewire/reports/reportstest"
)

// asked is a folder with one report that shows what its parameters turned out to mean.
func asked(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := `-- title: What parameters mean
-- param subject String = '': what
-- param collection String = '': over whom
-- param group String = '': of which
-- param topic_type UInt32 = 0: type
-- param topic_id String = '': id
SELECT {subject_kind:String} AS kind, {subject_type:UInt32} AS type, {subject_id:String} AS id,
    {subject_target:String} AS target, {subject_seen:DateTime64(6,'UTC')} AS seen, {topic_id:String} AS topic,
    {stale_seconds:UInt32} AS stale,
    (SELECT uniqExact(client_id) FROM collection_members WHERE name = {collection:String}) AS members
WHERE {group:String} != 'no' AND {topic_type:UInt32} < 1000000
`
	if err := os.WriteFile(filepath.Join(dir, "asked.sql"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// meant seeds subjects, titles and collections.
func meant(t *testing.T) *reports.Runner {
	t.Helper()
	s := reportstest.NewSeed(t)
	for i, m := range []reportstest.Message{
		{Topic: 500, ID: "curl=7.88.1-10+deb12u15", State: 2}, {Topic: 500, ID: "u1", State: 2}, {Topic: 500, ID: "u2", State: 2},
		{Topic: 300, ID: "d1", State: 1}, {Topic: 301, ID: "d1", State: 4}, {Topic: 300, ID: "twice", State: 1},
		{Topic: 500, ID: "twice", State: 1}, {Topic: 9003, ID: "x", State: 1}, {Topic: 20002, ID: "x", State: 1},
		{Topic: 500, ID: "a/b", State: 1},
	} {
		m.Client, m.Serial, m.Ago = i%3+1, uint64(i+1), reportstest.Hour
		s.Messages(m)
	}
	for n := 1; n <= 3; n++ {
		s.Reports(reportstest.Report{Client: n, Name: "PC", Received: reportstest.Hour})
	}
	for _, title := range []string{"('u1', 0, 'Office 2026-11', 'November', 'web')", "('u2', 0, 'Office 2026-12', '', '')",
		"('d1', 0, 'Office', '', 'servers')"} {
		s.Exec(`INSERT INTO topic_titles (topic_id, topic_type, source, title, grp, target, version)
			SELECT x.1, x.2, 'file', x.3, x.4, x.5, 1 FROM (SELECT ` + title + ` AS x)`)
	}
	s.Exec(`INSERT INTO collections (name, revision, kind, changed_time) VALUES ('web', 1, 'list', now()), ('empty', 1, 'list', now())`)
	s.Exec(`INSERT INTO collection_clients (name, revision, client_id) VALUES ('web', 1, ?), ('web', 1, ?)`, id(1), id(99))
	dir := asked(t)
	return s.Runner(func(c *reports.Config, _ *reports.Deps) { c.Dir = dir })
}

func TestWhatParametersMeanIsFoundOutBeforeTheQuery(t *testing.T) {
	r := meant(t)
	t.Run("an answer says over whom it counts", func(t *testing.T) { answersNameTheirScope(t, r) })
	t.Run("no rows come with the reason", func(t *testing.T) { noRowsHaveAReason(t, r) })
	t.Run("a shell completes what the site knows", func(t *testing.T) { knownNames(t, r) })
	for _, c := range []struct{ name, param, value, want string }{
		{"nothing given means nothing", "subject", "", "kind= type=0 id= target="},
		{"a kind and an id", "subject", "update/u1", "kind=update type=500 id=u1 target=web"},
		{"a topic type and an id", "subject", "9003/x", "kind=other type=9003 id=x"},
		{"an id alone", "subject", "d1", "kind=deployment type=300 id=d1 target=servers"},
		{"an id with a slash in it", "subject", "a/b", "id=a/b"},
		{"a title, whatever its case", "subject", "office", "id=d1"},
		{"a title that says it is one", "subject", "title:Office", "id=d1"},
		{"a part of one title", "subject", "2026-12", "id=u2"},
		{"the title that an id gives itself", "subject", "curl 7.88.1-10+deb12u15", "id=curl=7.88.1-10+deb12u15"},
		{"an id of two kinds needs its kind", "subject", "twice", "ambiguous: deployment/twice (twice), update/twice (twice)"},
		{"so does an id of two types of kind other", "subject", "x", "ambiguous: 9003/x (x), 20002/x (x)"},
		{"a part of several titles", "subject", "2026", "ambiguous: update/u1 (Office 2026-11), update/u2 (Office 2026-12)"},
		{"nothing is called so", "subject", "Offize 2026-11", "no_subject: Office 2026-11, Office 2026-12, Office"},
		{"an id is no title", "subject", "title:u2", "no_subject: "},
		{"a topic id by title", "topic_id", "title:Office 2026-11", "topic=u1"},
		{"any title of a topic id", "topic_id", "title:2026-1", "ambiguous: u1 (Office 2026-11), u2 (Office 2026-12)"},
		{"no topic id has that title", "topic_id", "title:Word", "no_subject: "},
		{"an id that is none is asked for in vain", "topic_id", "nothing", "topic=nothing"},
		{"a collection", "collection", "web", "stale=1209600 members=2 web:1"},
		{"a collection without members", "collection", "empty", "members=0 empty:0"},
		{"the whole site", "collection", "", "members=0 site:3"},
		{"a collection that is none", "collection", "wbe", "no_collection: web"},
		{"a group", "group", "November", "kind="},
		{"a group is no subject, and no part of a title", "subject", "November", `"November" is a group: see`},
		{"a group that is none", "group", "Novembre", "no_group: November"},
	} {
		if got := meaningOf(t, r, c.param, c.value); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s is %q: got %s, want %s", c.name, c.param, c.value, got, c.want)
		}
	}
}

// meaningOf runs the report and writes its row, its scope, or its refusal.
func meaningOf(t *testing.T, r *reports.Runner, param, value string) string {
	t.Helper()
	rows, err := r.Run(t.Context(), "asked", map[string]string{param: value}, reports.Page{})
	var refused *reports.RefError
	if errors.As(err, &refused) {
		return refused.Code + ": " + strings.Join(refused.Matches, ", ") + " "
	}
	var wrong *reports.ParamError
	if errors.As(err, &wrong) {
		return wrong.Reason
	}
	if err != nil {
		t.Fatalf("%s = %q: %v", param, value, err)
	}
	defer rows.Close()
	var out strings.Builder
	for i, v := range rows.Next() {
		out.WriteString(rows.Columns[i].Name + "=" + tabular.Text(v) + " ")
	}
	return out.String() + rows.Scope.Name + ":" + tabular.Text(tabular.Plain(rows.Scope.Clients))
}

func answersNameTheirScope(t *testing.T, r *reports.Runner) {
	t.Helper()
	var out bytes.Buffer
	given := map[string]string{"collection": "web", "subject": "Office 2026-11"}
	if err := r.WriteReport(t.Context(), &out, reports.JSON, "asked", given, reports.Page{}); err != nil {
		t.Fatal(err)
	}
	var a struct {
		Params  map[string]string
		Scope   reports.Scope
		Subject reports.Subject
		Rows    []map[string]any
	}
	if err := json.Unmarshal(out.Bytes(), &a); err != nil || a.Scope.Name != "web" || a.Scope.Clients != 1 ||
		a.Scope.MembersAsOf.IsZero() || a.Subject.ID != "u1" || a.Subject.Title != "Office 2026-11" || len(a.Params) != 5 {
		t.Errorf("%v %s", err, &out)
	}
}

func knownNames(t *testing.T, r *reports.Runner) {
	t.Helper()
	for _, c := range []struct{ kind, begun, want string }{
		{"collection", "w", "web"}, {"group", "", "November"}, {"subject", "update/u1", "update/u1\tOffice 2026-11"},
		{"subject", "office 2026-12", "Office 2026-12"}, {"subject", "nothing", ""},
	} {
		got, err := r.Known(t.Context(), c.kind, c.begun)
		if err != nil || strings.Join(got, "|") != c.want {
			t.Errorf("%s %q: %q, %v; want %q", c.kind, c.begun, got, err, c.want)
		}
	}
}
