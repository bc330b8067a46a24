package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"statewire/cmd/statewire/cli"
	"statewire/inbox"
	"statewire/site"
	"statewire/smx"
)

// badReport is a report of three messages, the second of which has no number for a serial.
func badReport(client int, first uint64) (body, mended []byte) {
	r, _ := report(client, smx.NoPriority, first, first+2)
	mended = smx.AppendReport(nil, r)
	return bytes.Replace(mended, fmt.Appendf(nil, `SerialNumber="%d"`, first+1), []byte(`SerialNumber="0x1"`), 1), mended
}

// accountIs holds `statewire account` against some of its numbers.
func accountIs(t *testing.T, data string, want map[string]int) {
	t.Helper()
	var got map[string]int
	if err := json.Unmarshal([]byte(done(t, data, "--format", "json", "account")), &got); err != nil {
		t.Fatal(err)
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s is %d, want %d in %v", name, got[name], n, got)
		}
	}
	if sum := got["stored"] + got["duplicate"] + got["set_aside"] + got["dropped"] +
		got["waiting"]; sum != got["arrived"] {
		t.Errorf("%v does not balance", got)
	}
}

func deadNames(t *testing.T, data string) (names []string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(done(t, data, "--format", "csv", "dead", "list"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		names = append(names, row[0])
	}
	slices.Sort(names)
	return names
}

// What is set aside is listed, shown, brought back and dropped by its name, whatever characters the name has, and the
// account follows.
func TestDeadFromListToDrop(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	odd := "=cmd|'a' \x1b[31m\u202e \u00e9.SMX"
	body, mended := badReport(1, 1)
	drop(t, data, odd, body)
	drop(t, data, "half.SMX", body[:len(body)/2])
	if r := command(t, data, "ingest", "--once"); r.code != cli.ExitFailed || strings.ContainsAny(r.errOut, "\x1b\u202e") {
		t.Fatalf("ended with %d: %q", r.code, r.errOut)
	}
	records := odd + ".1.SMX"
	if got := len(corrupt(t, data)); got != 2 {
		t.Fatalf("%d files in corrupt", got)
	}
	table, text := done(t, data, "dead", "list"), done(t, data, "--format", "csv", "dead", "list")
	if strings.ContainsAny(table, "\x1b\u202e") || strings.ContainsAny(text, "\x1b\u202e") ||
		strings.Contains(text, "\n=cmd") {
		t.Errorf("raw text in\n%q\n%q", table, text)
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(done(t, data, "--format", "json", "dead", "list")), &rows); err != nil ||
		len(rows) != 2 {
		t.Fatalf("%v %v", rows, err)
	}
	if !slices.ContainsFunc(rows, func(r map[string]any) bool { return r["name"] == records && r["kind"] == "records" }) {
		t.Errorf("no %q in %v", records, rows)
	}
	for _, row := range rows {
		text, err := os.ReadFile(filepath.Join(site.InboxRoot(data), "corrupt", row["name"].(string)+".reason.json"))
		var reason inbox.Reason
		if err = errors.Join(err, json.Unmarshal(text, &reason)); err != nil || reason.Line == reason.Column {
			t.Fatalf("%+v, %v", reason, err)
		}
		if row["line"] != float64(reason.Line) || row["column"] != float64(reason.Column) || row["reason"] != reason.Reason {
			t.Errorf("listed %v, want the place and words of %+v", row, reason)
		}
	}
	if raw := done(t, data, "dead", "show", records, "--raw"); !strings.Contains(raw, `SerialNumber="0x1"`) {
		t.Errorf("shown raw: %q", raw)
	}
	if shown := done(t, data, "dead", "show", records); !strings.Contains(shown, "bad_serial") ||
		strings.ContainsAny(shown, "\x1b\u202e") {
		t.Errorf("shown: %q", shown)
	}
	accountIs(t, data, map[string]int{"arrived": 3, "stored": 2, "set_aside": 1, "bad_files": 1})
	for _, wrong := range [][]string{{"drop", records}, {"drop", "--reason", "x"}, {"replay"},
		{"replay", "--all", "--file", "x"}} {
		if r := command(t, data, append([]string{"dead"}, wrong...)...); r.code != cli.ExitUsage {
			t.Errorf("dead %q ended with %d: %s", wrong, r.code, r.errOut)
		}
	}
	deadBringBack(t, data, records, mended)
}

// deadBringBack mends one file, drops the other, and finds the account right.
func deadBringBack(t *testing.T, data, records string, mended []byte) {
	t.Helper()
	if r := command(t, data, "dead", "replay", "half.SMX"); r.code != cli.ExitFailed ||
		!strings.Contains(r.out, "still bad") {
		t.Errorf("an unmended file ended with %d: %s%s", r.code, r.out, r.errOut)
	}
	file := filepath.Join(dataDir(t), "mended.xml")
	if err := os.WriteFile(file, mended, 0o600); err != nil {
		t.Fatal(err)
	}
	done(t, data, "dead", "replay", records, "--file", file)
	if got := deadNames(t, data); !slices.Equal(got, []string{"half.SMX"}) {
		t.Errorf("after the replay %q is listed", got)
	}
	done(t, data, "dead", "drop", "half.SMX", "--reason", "a test")
	accountIs(t, data, map[string]int{"stored": 3, "set_aside": 0, "dropped": 0, "bad_files": 0})
	if r := command(t, data, "dead", "drop", "half.SMX", "--reason", "again"); r.code != cli.ExitFailed {
		t.Errorf("a second drop ended with %d: %s", r.code, r.errOut)
	}
}
