package ingest

import (
	"fmt"
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
	write := func(path, reason string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(reason), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n, tc := range edits {
		s.drop(fmt.Sprintf("a%d.SMX", n), badly(10+n, 1, 4, 2, 3))
		s.drop(fmt.Sprintf("b%d.SMX", n), badly(10+n, 5, 8, 6, 7))
		s.drain()
		for _, name := range []string{"a", "b"} {
			path := reasonBeside(s, name, n)
			write(path, tc.edit(read(t, path)))
		}
		s.replay(fmt.Sprintf("a%d.SMX.1.SMX", n), mend(s.bad(fmt.Sprintf("a%d.SMX.1.SMX", n))))
	}
	s.drain()
	drop := func(n int) {
		t.Helper()
		if _, err := Drop(t.Context(), s.dir, s.db, []string{fmt.Sprintf("b%d.SMX.1.SMX", n)}, "ann", "why"); err != nil {
			t.Error(err)
		}
	}
	for n, tc := range edits {
		t.Log(tc.name)
		s.expectAccount("8,6,0,2,0", 10+n)
		path := reasonBeside(s, "b", n)
		write(path, dates.ReplaceAllString(read(t, path), `"$1": "2001-02-03T04:05:06Z"`))
		drop(n)
		s.expectAccount("8,6,0,0,2", 10+n)
		s.drop(fmt.Sprintf("b%d.SMX", n), badly(10+n, 9, 9, 9)) // later, under the same name
	}
	s.drain()
	for n, tc := range edits {
		t.Log(tc.name)
		s.expectAccount("9,6,0,1,2", 10+n)
		drop(n)
		s.expectAccount("9,6,0,0,3", 10+n)
	}
	s.drop("bad.SMX", []byte("<Report>"))
	s.drain()
	if err := os.WriteFile(filepath.Join(s.root, "corrupt", "bad.SMX.reason.json"),
		[]byte(`{"time": "2001-02-03T04:05:06Z", "records": [{}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if done, err := Drop(t.Context(), s.dir, s.db, []string{"bad.SMX"}, "ann", "why"); err != nil || done.Records != 0 {
		t.Errorf("dropped %+v, %v", done, err)
	}
	s.expect("SELECT count() FROM bad_files AS b INNER JOIN set_aside_ends AS e ON e.name = b.name WHERE e.until < "+
		"b.set_aside_time", "0")
}

// reasonBeside is where the reason of a record of the file NAMEn lies.
func reasonBeside(s *site, name string, n int) string {
	return filepath.Join(s.root, "corrupt", fmt.Sprintf("%s%d.SMX.1.SMX.reason.json", name, n))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
