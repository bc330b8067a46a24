package names

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"statewire/internal/tabular"
)

func TestAFileIsTakenWholeOrItsFirstWrongLineIsNamed(t *testing.T) {
	long := strings.Repeat("ä", 301)
	for _, c := range []struct{ name, text, want string }{
		{"CSV and every column", "topic_id,title,topic_type,kind,article,severity,released,url,group,target,superseded_by\n" +
			"a,Title A,500,update,KB1,critical,2026-11-10,https://example.org/1,2026-11,servers,b\n", ""},
		{"columns in any order, with a byte order mark and CRLF", "\ufefftitle,topic_id\r\nTitle,a\r\n", ""},
		{"an id of several types", "topic_id,title,topic_type\na,All,\na,One,301\n", ""},
		{"JSON lines", `{"topic_id":"a","title":"A","topic_type":500}` + "\n\n" + `{"topic_id":"b","title":"B","kind":null}`, ""},
		{"300 characters are taken", "topic_id,title\na," + long[:600] + "\n", ""},
		{"a target alone is a thing to say", "topic_id,title,target\na,,servers\n", ""},
		{"301 are not", "topic_id,title\na," + long + "\n", "line 2: title has 301 characters, at most 300 are taken"},
		{"a column that there is none", "topic_id,titel\na,A\n", "line 1: there is no column \"titel\"; the columns are topic_id, " +
			"title, topic_type, kind, article, severity, released, url, group, target, superseded_by; did you mean title?"},
		{"a column twice", "topic_id,title,title\n", "line 1: the column title is there twice"},
		{"no title", "topic_id\na\n", "line 1: the column title is missing"},
		{"semicolons", "topic_id;title\na;A\n", "separate them by commas"},
		{"a line with fewer fields", "topic_id,title\na,A\nb\n", "line 3: it has 1 fields, the first line names 2 columns"},
		{"a quote that has no end", "topic_id,title\na,\"A\n", "line 2: it is no CSV"},
		{"an empty title", "topic_id,title,kind\na,A,\nb,,update\n", "line 3: title is empty; write one, or leave the line out"},
		{"an empty id", "topic_id,title\n,A\n", "line 2: topic_id is empty"},
		{"an id twice", "topic_id,title\na,A\nb,B\na,C\n", `line 4: topic_id "a" has been named already, by f: line 2`},
		{"a control character", "topic_id,title\na,A\x1b[31m\n", "line 2: title has the control character U+001B"},
		{"an end of a line within a title", "topic_id,title\na,\"A\nB\"\n", "line 2: title has the control character U+000A"},
		{"a mark that turns the direction", "topic_id,title\na,A\u202e\n", "line 2: title has the control character U+202E"},
		{"a kind that there is none", "topic_id,title,kind\na,A,patch\n", `line 2: kind is "patch"; write update, deployment`},
		{"no date", "topic_id,title,released\na,A,10.11.2026\n", `line 2: released is "10.11.2026"; write a date such as`},
		{"a script for an address", "topic_id,title,url\na,A,javascript:alert(1)\n", "line 2: url is"},
		{"no number", "topic_id,title,topic_type\na,A,-1\n", `line 2: topic_type is "-1"`},
		{"no name of a collection", "topic_id,title,target\na,A,All Servers\n", "line 2: target is \"All Servers\", which cannot be"},
		{"bytes that are no UTF-8", "topic_id,title\na,A\nb,\xff\n", "line 3: it is no UTF-8"},
		{"UTF-16", "\xff\xfet\x00", "line 1: the file is UTF-16; save it as UTF-8"},
		{"nothing", " \n", "line 1: the file is empty"},
		{"a JSON list", `[{"topic_id":"a"}]`, "line 1: the file is one JSON list"},
		{"a member twice", `{"topic_id":"a","title":"A","title":"B"}`, "line 1: the member title is there twice"},
		{"a member that there is none", `{"topic_id":"a","title":"A","name":"B"}`, `line 1: there is no column "name"`},
		{"a member that is no text", `{"topic_id":"a","title":["A"]}`, `line 1: the member "title" has to be text`},
		{"no title in JSON", `{"topic_id":"a"}`, "line 1: the member title is missing"},
		{"two objects in a line", `{"topic_id":"a","title":"A"} {}`, "line 1: more follows the JSON object"},
		{"CSV among JSON lines", "{\"topic_id\":\"a\",\"title\":\"A\"}\na,A\n", "line 2: it is no JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Reader
			err := r.Read("f", strings.NewReader(c.text))
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && err == nil:
				t.Errorf("taken: %+v", r.List())
			case c.want != "" && !strings.HasPrefix(err.Error(), "f: line ") || err != nil && !strings.Contains(err.Error(), c.want):
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
}

func TestNoMoreIsReadThanIsTaken(t *testing.T) {
	var r Reader
	if err := r.Read("f", strings.NewReader("topic_id,title\na,"+strings.Repeat("x", MaxBytes))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	var text strings.Builder
	text.WriteString("topic_id,title\n")
	for i := range MaxEntries + 1 {
		fmt.Fprintf(&text, "%d,A\n", i)
	}
	var many Reader
	if err := many.Read("f", strings.NewReader(text.String())); err == nil ||
		!strings.Contains(err.Error(), "line 100002: more than 100000 ids") {
		t.Errorf("%v", err)
	}
}

// Whatever is taken comes out of an export as it was, and is taken again.
func FuzzRead(f *testing.F) {
	f.Add([]byte("topic_id,title,group\na,A,g\n'=b,'=cmd|,\n"))
	f.Add([]byte("topic_id,title,topic_type,released\n\"a,b\",\"A \"\"B\"\"\",500,2026-11-10\n"))
	f.Add([]byte(`{"topic_id":" a","title":"A","url":"https://x.org/"}` + "\n" + `{"topic_id":"b","title":"\u00fc"}`))
	f.Add([]byte("\ufefftitle,topic_id\n<script>,a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r Reader
		if err := r.Read("f", bytes.NewReader(text)); err != nil {
			var line *LineError
			if !errors.As(err, &line) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("an error without a line: %v", err)
			}
			return
		}
		var out bytes.Buffer
		w := csv.NewWriter(&out)
		if err := w.Write(Columns()); err != nil {
			t.Fatal(err)
		}
		var want []Entry
		for _, l := range r.List().Lines {
			want = append(want, l.Entry)
			line := make([]string, 0, len(Columns()))
			for _, v := range l.Entry.Values() {
				cell := tabular.Text(v)
				if _, isText := v.(string); isText {
					if cell = tabular.SpreadsheetSafe(cell); tabular.TerminalSafe(tabular.Text(v)) != tabular.Text(v) {
						return // zero widths and their kin are escaped for terminals
					}
				}
				line = append(line, cell)
			}
			if err := w.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		var again Reader
		if err := again.Read("f", &out); err != nil {
			t.Fatalf("%v: %q", err, out.String())
		}
		var got []Entry
		for _, l := range again.List().Lines {
			got = append(got, l.Entry)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("came back as %+v, was %+v", got, want)
		}
	})
}
