package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
)

// Titles that a person loads stand before the ids everywhere, and no text in one does anything but stand there.
func TestWhatAPersonNamesIsCalledSoEverywhere(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	s := serve(t, data)
	s.awaitReady()
	const (
		script  = `<script>alert(1)</script> Office`
		formula = `=cmd|' /C calc'!A0`
		client  = "00000000-0000-4000-8000-000000000001"
	)
	drop(t, data, "named.SMX", namedReport(client, [][3]string{{"500", "u-1", "2"}, {"402", "u-1", "11"}, {"301", "d-1", "6"},
		{"300", "d-1", "3"}}))
	if !eventually(patience, func() bool { return ask(t, data, "SELECT count() FROM current_states") == 4 }) {
		t.Fatal("the report is not loaded")
	}
	done(t, data, "collection", "create", "servers", "--client", client)

	file := filepath.Join(t.TempDir(), "names.csv")
	load := func(text string, args ...string) result {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return command(t, data, append([]string{"--format", "csv", "names", "load", file}, args...)...)
	}
	wrong := load("topic_id,title\nu-1,fine\nd-1,\x1b[31mred\n")
	if wrong.code != cli.ExitUsage || !strings.Contains(wrong.errOut, "line 3: title has the control character U+001B") {
		t.Errorf("a wrong line ends with %d: %s", wrong.code, wrong.errOut)
	}
	names := "topic_id,title,group\nu-1," + script + ",May\nd-1," + formula + ",\nnever,Never told,\n"
	for _, c := range []struct {
		args []string
		want string
	}{{[]string{"--dry-run"}, "3,0,0,0,1"}, {nil, "3,0,0,0,1"}, {nil, "0,0,3,0,1"}} {
		if r := load(names, c.args...); r.code != 0 || !strings.Contains(r.out, c.want) {
			t.Errorf("names load %v says %s%s, want %s", c.args, r.out, r.errOut, c.want)
		}
	}
	done(t, data, "target", "set", "deployment/d-1", "--collection", "servers")
	if out := done(t, data, "--format", "csv", "target", "list"); !strings.Contains(out, ",deployment,servers,1,d-1") {
		t.Errorf("targets are\n%s", out)
	}

	there := done(t, data, "--format", "csv", "report", "list")
	for _, c := range []struct{ report, params, title string }{
		{"updates", "", script}, {"deployments", "", formula}, {"compliance", "topic_type=402", script},
		{"failures", "", formula}, {"client-states", "client=" + client, script}, {"messages", "client=" + client, formula},
		{"subject-machines", "subject=update/u-1", ""}, {"names", "search=office", script},
	} {
		if !strings.Contains(there, c.report+",") {
			t.Logf("there is no report %s", c.report)
			continue
		}
		args := []string{"report", c.report}
		if c.params != "" {
			args = append(args, "--param", c.params)
		}
		var out string
		shown := func(format, want string) bool {
			out = done(t, data, append([]string{"--format", format}, args...)...)
			return strings.Contains(out, want)
		}
		if !eventually(patience, func() bool { return shown("parquet", c.title) }) { // summaries come within half a minute
			t.Errorf("%s has no title in Parquet", c.report)
		}
		if safe := strings.Replace(c.title, "=cmd", "'=cmd", 1); !shown("csv", safe) ||
			strings.Contains(strings.ReplaceAll(out, "'=cmd", ""), "=cmd") {
			t.Errorf("%s as CSV is\n%s", c.report, out)
		}
	}
	for _, args := range [][]string{{"explain", client, "--topic", "402/u-1"}, {"trace", client, "--serial", "2"}} {
		if out := strings.Join(strings.Fields(done(t, data, args...)), " "); !strings.Contains(out, script) {
			t.Errorf("%v says\n%s", args, out)
		}
	}
	for _, path := range []string{"/clients/" + client, "/reports/client-states?client=" + client, "/reports/names",
		"/subjects/update/u-1", "/compliance"} {
		_, page := fetch(t, s.reports+path)
		if strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;script&gt;alert(1)") {
			t.Errorf("%s does not show the title as text:\n%s", path, tail(page, 2000))
		}
	}
	for search, want := range map[string]string{"OFFICE": `"topic_id": "u-1"`, "calc": `"topic_id": "d-1"`} {
		if _, got := fetch(t, s.reports+"/api/v1/subjects?search="+search); !strings.Contains(got, want) {
			t.Errorf("the search for %s finds %s", search, got)
		}
	}

	put := func(token string) string {
		t.Helper()
		req, err := http.NewRequest(http.MethodPut, s.reports+"/api/v1/names",
			strings.NewReader(`{"topic_id":"d-1","title":"Of a script"}`))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	_, token := newToken(t, data, "operator")
	if got := put(""); !strings.Contains(got, `"status":403`) {
		t.Errorf("a viewer is answered %s", got)
	}
	if got := put(token); !strings.Contains(got, `"changed":1`) {
		t.Errorf("an operator is answered %s", got)
	}
	if out := done(t, data, "--format", "csv", "names", "show", "d-1"); !strings.Contains(out, "file,Of a script") ||
		!strings.Contains(out, "servers") {
		t.Errorf("names show says\n%s", out)
	}
	log := done(t, data, "--format", "csv", "audit", "list")
	for _, action := range []string{"names.load", "target.set"} {
		if !strings.Contains(log, action) {
			t.Errorf("%s is not in the audit log:\n%s", action, log)
		}
	}
}

// namedReport is a report with a message for each type, id and state.
func namedReport(client string, states [][3]string) []byte {
	at := time.Now().UTC().Format("20060102150405.000000+000")
	var messages strings.Builder
	for i, s := range states {
		fmt.Fprintf(&messages, `<StateMessage MessageTime="%s" SerialNumber="%d"><Topic ID="%s" Type="%s" IDType="0"/>`+
			`<State ID="%s" Criticality="0"/><UserParameters Flags="0" Count="1"><Param>0x80240022</Param></UserParameters>`+
			`</StateMessage>`, at, i+1, s[1], s[0], s[2])
	}
	return []byte(`<Report><ReportHeader><Identification><Machine><ClientInstalled>1</ClientInstalled><ClientType>1</ClientType>` +
		`<ClientID>GUID:` + client + `</ClientID><ClientVersion>5.00</ClientVersion><NetBIOSName>PC-1</NetBIOSName>` +
		`<CodePage>1252</CodePage><SystemDefaultLCID>1033</SystemDefaultLCID></Machine></Identification><ReportDetails>` +
		`<ReportContent>State Message Data</ReportContent><ReportType>Full</ReportType><Date>` + at + `</Date>` +
		`<Version>1.0</Version><Format>1.0</Format></ReportDetails></ReportHeader><ReportBody>` + messages.String() +
		`</ReportBody></Report>`)
}
