package ingest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What lies beside a file is for people to read, and some of them write there: the store's rows count.
func TestTheEndOfAFileIsCountedByTheStoreWhateverItsReasonSays(t *testing.T) {
	dates := regexp.MustCompile(`"(time|received)": "[^"]*"`)
	setAside := regexp.MustCompile(`"(time)": "[^"]*"`)
	edits := []struct {
		name string
		edit func(reason string) string
	}{
		{"two records more", func(r string) string { return strings.Replace(r, `"records": [`, `"records": [{},{},`, 1) }},
		{"no records", func(r string) string { return r[:strings.Index(r, `,`+"\n"+`  "records"`)] + "}" }},
		{"set aside in 2001", func(r string) string { return setAside.ReplaceAllString(r, `"$1": "2001-02-03T04:05:06Z"`) }},
		{"set aside in 2101", func(r string) string { return setAside.ReplaceAllString(r, `"$1": "2101-02-03T04:05:06Z"`) }},
		{"another client's", func(r string) string {
			return strings.Replace(r, client(1).String(), client(2).String(), 1)
		}},
		{"no JSON", func(r string) string { return r[:9] }},
		{"nothing", func(string) string { return "" }},
	}
	s := newSite(t)
	for n, tc := range edits {
		t.Run(tc.name, func(t *testing.T) {
			first := uint64(100*n + 1)
			for _, name := range []string{"a.SMX", "b.SMX"} {
				s.drop(name, badly(10+n, first, first+3, first+1, first+2))
				s.drain()
				path := filepath.Join(s.root, "corrupt", name+".1.SMX.reason.json")
				reason, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(tc.edit(string(reason))), 0o600); err != nil {
					t.Fatal(err)
				}
				first += 4
			}
			s.replay("a.SMX.1.SMX", mend(s.bad("a.SMX.1.SMX")))
			s.drain()
			s.expectAccount("8,6,0,2,0", 10+n)
			path := filepath.Join(s.root, "corrupt", "b.SMX.1.SMX.reason.json")
			if reason, err := os.ReadFile(path); err != nil {
				t.Error(err)
			} else if err := os.WriteFile(path, dates.ReplaceAll(reason, []byte(`"$1": "2001-02-03T04:05:06Z"`)), 0o600); err != nil {
				t.Error(err)
			}
			done, err := Drop(t.Context(), s.dir, s.db, []string{"b.SMX.1.SMX"}, "ann", "why")
			if err != nil || done.Records != 2 {
				t.Errorf("dropped %+v, %v", done, err)
			}
			s.expectAccount("8,6,0,0,2", 10+n)
			s.drop("b.SMX", badly(10+n, 100*uint64(n)+9, 100*uint64(n)+9, 100*uint64(n)+9)) // later, under the same name
			s.drain()
			s.expectAccount("9,6,0,1,2", 10+n)
			if _, err := Drop(t.Context(), s.dir, s.db, []string{"b.SMX.1.SMX"}, "ann", "why"); err != nil {
				t.Error(err)
			}
			s.expectAccount("9,6,0,0,3", 10+n)
		})
	}
	s.drop("bad.SMX", []byte("<Report>"))
	s.drain()
	if err := os.WriteFile(filepath.Join(s.root, "corrupt", "bad.SMX.reason.json"), []byte(`{"time": "2001-02-03T04:05:06Z", "records": [{}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if done, err := Drop(t.Context(), s.dir, s.db, []string{"bad.SMX"}, "ann", "why"); err != nil || done.Records != 0 {
		t.Errorf("dropped %+v, %v", done, err)
	}
	s.expect("SELECT count() FROM bad_files AS b INNER JOIN set_aside_ends AS e ON e.name = b.name WHERE e.until < b.set_aside_time", "0")
}
