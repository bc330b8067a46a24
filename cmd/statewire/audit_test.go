package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"statewire/cmd/statewire/cli"
)

// Commands of a site that does not run record what they do. Where that cannot be, nothing is done; afterwards the log
// is listed, exported and verified, and a changed byte is named.
func TestCommandsRecordWhatTheyDo(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	body, _ := badReport(1, 1)
	drop(t, data, "half.SMX", body[:len(body)/2])
	command(t, data, "ingest", "--once")
	dir := filepath.Join(data, "audit")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a log cannot be there
		t.Fatal(err)
	}
	acts := [][]string{
		{"collection", "create", "pilot", "--client", "GUID:F1B03089-9EA1-4A64-83DC-5F8E77BDDEB4"},
		{"store", "migrate"}, {"store", "accept-loss"}, {"dead", "replay", "half.SMX"},
		{"dead", "drop", "half.SMX", "--reason", "a test"},
	}
	for _, args := range acts {
		if r := command(t, data, args...); r.code != cli.ExitFailed || !strings.Contains(r.errOut, "audit_unavailable") {
			t.Errorf("%q without a log ended with %d: %s", args, r.code, r.errOut)
		}
	}
	if r := command(t, data, "audit", "verify"); r.code != cli.ExitFailed {
		t.Errorf("no log is verified with %d: %s", r.code, r.errOut)
	}
	if got := deadNames(t, data); !slices.Equal(got, []string{"half.SMX"}) {
		t.Errorf("set aside is %q", got)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for _, args := range acts {
		if r := command(t, data, args...); (r.code != 0) != (args[1] == "replay") { // it is bad still
			t.Errorf("%q ended with %d: %s", args, r.code, r.errOut)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(done(t, data, "--format", "csv", "audit", "list"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows[1:] {
		got = append(got, strings.Join([]string{row[5], row[6], row[7], row[8], row[9]}, " "))
	}
	if want := []string{"collection.create collection:pilot 1  done", "store.migrate store 0  done",
		"store.accept-loss store 0  done", "dead.replay file:half.SMX 0  done",
		"dead.drop file:half.SMX 0 a test done"}; !slices.Equal(got, want) {
		t.Errorf("listed %q", got)
	}
	if out := done(t, data, "--format", "csv", "audit", "list", "--action", "dead.drop", "--since", "2020-01-01",
		"--actor", rows[1][2]); strings.Count(out, "\n") != 2 || !strings.Contains(out, "dead.drop") {
		t.Errorf("chosen %q", out)
	}
	for _, none := range [][]string{{"--until", "2020-01-01"}, {"--since", "2199-01-01"}, {"--actor", "local:4711"}} {
		if out := done(t, data, append([]string{"--format", "csv", "audit", "list"}, none...)...); strings.Count(out,
			"\n") != 1 {
			t.Errorf("%q lists %q", none, out)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var lines []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, text...)
	}
	out := filepath.Join(t.TempDir(), "lines")
	done(t, data, "audit", "export", "--out", out)
	exported, err := os.ReadFile(out)
	if printed := done(t, data, "audit", "export"); err != nil || printed != string(lines) || string(exported) != printed {
		t.Errorf("exported %q and %q, %v", exported, printed, err)
	}
	if r := command(t, data, "audit", "export", "--out", out); r.code != cli.ExitFailed {
		t.Errorf("a file that is there is written over: %d", r.code)
	}
	var found struct {
		Lines, Seq, HeadSeq, WithoutOutcome int
		Verifier                            string
	}
	text := strings.NewReplacer("head_seq", "HeadSeq", "without_outcome", "WithoutOutcome").Replace(
		done(t, data, "--format", "json", "audit", "verify"))
	if err := json.Unmarshal([]byte(text), &found); err != nil || found.Lines != 10 || found.Seq != 10 ||
		found.HeadSeq != 10 || found.WithoutOutcome != 0 || !strings.HasPrefix(found.Verifier, "statewire/audit+") {
		t.Errorf("verified %s, %v", text, err)
	}
	changed := strings.Replace(string(lines), `"a test"`, `"a text"`, 1)
	if err := os.WriteFile(files[0], []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	r := command(t, data, "--format", "csv", "audit", "verify")
	if r.code != cli.ExitFailed || !strings.Contains(r.errOut, "seq 9, "+filepath.Base(files[0])+" line 9") ||
		!strings.Contains(r.out, "9,"+filepath.Base(files[0])+",9,") {
		t.Errorf("a changed line: %d, %q, %q", r.code, r.out, r.errOut)
	}
}
