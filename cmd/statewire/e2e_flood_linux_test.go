package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// debianMachine is a Debian machine in a folder that needs no root: apt of this system with one installed package, and a
// repository that has a newer one. It returns the variables that point apt and dpkg at it.
func debianMachine(t *testing.T) []string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"repo", "dpkg/updates", "dpkg/info", "state/lists/partial", "cache/archives/partial",
		"etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "etc/sources.list.d", "log"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const curl = "Package: curl\n%sVersion: 7.88.1-10+deb12u%d\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\n" +
		"Description: a test\n%s\n"
	for name, text := range map[string]string{
		"dpkg/status":      fmt.Sprintf(curl, "Status: install ok installed\n", 14, ""),
		"dpkg/available":   "",
		"dpkg/arch":        "amd64\n",
		"repo/Packages":    fmt.Sprintf(curl, "", 15, "Filename: ./curl.deb\nSize: 1\nSHA256: "+strings.Repeat("0", 64)+"\n"),
		"etc/sources.list": "deb [trusted=yes] file:" + root + "/repo ./\n",
		"apt.conf": strings.ReplaceAll(`Dir "ROOT/"; Dir::State "ROOT/state"; Dir::State::status "ROOT/dpkg/status";
Dir::Cache "ROOT/cache"; Dir::Etc "ROOT/etc"; Dir::Log "ROOT/log"; APT::Architecture "amd64"; APT::Architectures { "amd64"; };
APT::Sandbox::User ""; Acquire::Languages "none";
`, "ROOT", root),
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"APT_CONFIG=" + filepath.Join(root, "apt.conf"), "DPKG_ADMINDIR=" + filepath.Join(root, "dpkg")}
	update := exec.Command("apt-get", "-q", "update")
	update.Env = append(update.Environ(), append(env, "LC_ALL=C")...)
	if out, err := update.CombinedOutput(); err != nil {
		t.Fatalf("apt-get update: %v\n%s", err, out)
	}
	return env
}

// One Debian machine among 300 others makes nobody else unknown: no update has more machines that are not known than
// have ever scanned, and who is outside is in no percentage. And a terminal shows every report of that site.
func TestAMachineMakesNoFloodOfUnknown(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("needs apt")
	}
	m := newMember(t)
	s := serve(t, m.site, "--set", "relay.listen="+m.addr, "--set", "reports.summary_interval=1s")
	s.awaitReady()
	j := &judged{t: t, site: s, data: m.site}
	run := spawn(t, m.site, nil, "fleet", "--clients", "300", "--relay", "https://"+m.addr, "--send-interval", "1s",
		"--policy-interval", "10s", "--for", "3s", "--settle", "1s")
	env := append([]string{"env"}, debianMachine(t)...)
	agent := spawn(t, m.data, env, "agent", "run", "--set", "agent.relay=https://"+m.addr, "--set", "agent.startup_jitter=0",
		"--set", "agent.scan_interval=0", "--set", "agent.ca_file="+filepath.Join(m.site, "identity", "ca.crt"))
	agent.await("agent started", "client", patience)
	if code := run.wait(patience); code != 0 {
		t.Fatalf("the fleet ended with %d: %s", code, tail(run.text(), 1000))
	}
	done(t, m.data, "agent", "scan")
	done(t, m.data, "agent", "send", "--now")
	s.awaitDrained()
	done(t, m.site, "summary", "rebuild")

	const curl = "curl=7.88.1-10+deb12u15"
	clients := int(ask(t, m.site, "SELECT count() FROM clients"))
	scanned := int(ask(t, m.site, "SELECT uniqExact(client_id) FROM state_messages WHERE topic_type = 501 AND state_id = 3"))
	if clients != 301 || scanned < 1 {
		t.Fatalf("%d clients, %d of them scanned", clients, scanned)
	}
	rows, found := j.get("/api/v1/reports/updates?limit=1000"), false
	for _, row := range rows {
		n := map[string]int{}
		for _, c := range []string{"compliant", "bad", "pending", "restart", "failed", "not_applicable", "not_known", "outside"} {
			n[c] = machinesOf(row[c])
		}
		need := n["compliant"] + n["bad"] + n["pending"] + n["restart"] + n["failed"]
		percent := ""
		if need > 0 {
			percent = fmt.Sprint(float64(1000*n["compliant"]/need) / 10)
		}
		if all := need + n["not_applicable"] + n["not_known"] + n["outside"]; all != clients || n["not_known"] > scanned ||
			text(row["percent"]) != percent {
			t.Errorf("of %d clients %d scanned, percent should be %q: %v", clients, scanned, percent, row)
		}
		if row["topic_id"] == curl {
			found = n["bad"] == 1 && need == 1
		}
	}
	if !found || len(rows) < 3 {
		t.Errorf("the Debian machine's update is not there, or not of one machine: %v", rows)
	}
	everyReportFits(j)
	for _, args := range [][]string{{"report", "list"}, {"sql", "SELECT * FROM current_states LIMIT 20"}} {
		noLongLine(t, args, onTerminal(t, m.site, args...))
	}
}

// columnsLine is the header's line of columns, with those that go on below it.
var columnsLine = regexp.MustCompile(`(?m)^-- columns:((?:.*\n)(?:--   .*\n)*)`)

// everyReportFits: in a terminal of 80 characters no line is longer, and the columns that must not leave are there. Into a
// pipe goes every column.
func everyReportFits(j *judged) {
	j.t.Helper()
	var list struct {
		Reports []struct {
			Name   string
			Params []struct {
				Name     string
				Required bool
			}
		}
	}
	j.getInto("/api/v1/reports", &list)
	client := query(j.t, j.data, "SELECT client_id FROM clients ORDER BY client_id LIMIT 1")[0][0]
	values := map[string]string{"subject": "update/curl=7.88.1-10+deb12u15", "client": client, "topic_type": "500"}
	var both sync.WaitGroup
	var full atomic.Int64
	turns := make(chan struct{}, 2)
	for i, r := range list.Reports {
		args := []string{"report", r.Name}
		for _, p := range r.Params {
			if p.Required {
				value := values[p.Name]
				if value == "" {
					value = "1"
				}
				args = append(args, "--param", p.Name+"="+value)
			}
		}
		source, err := os.ReadFile(filepath.Join("..", "..", "reports", "sql", r.Name+".sql"))
		if err != nil {
			j.t.Error(err)
			continue
		}
		both.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			ranked := fits(j, r.Name, string(source), args)
			if len(ranked) == 0 {
				return
			}
			if full.Add(1); i%8 == 0 { // what goes into a pipe is the same code for all
				piped(j, r.Name, ranked, args)
			}
		})
	}
	both.Wait()
	if n := full.Load(); n < 20 {
		j.t.Errorf("only %d of %d reports had rows", n, len(list.Reports))
	}
}

// fits returns the columns that the report's header names; none where there are no rows to show.
func fits(j *judged, name, source string, args []string) (ranked []string) {
	shown := onTerminal(j.t, j.data, args...)
	noLongLine(j.t, args, shown)
	if strings.Contains(shown, "0 rows") || strings.Contains(shown, "no rows") {
		return nil // and it says why
	}
	head, _, _ := strings.Cut(shown, "─")
	words := strings.Join(strings.Fields(head), "")
	columns := columnsLine.FindStringSubmatch(source)
	if columns == nil {
		j.t.Errorf("%s has no line of columns", name)
		return nil
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(columns[1], "\n--", ","), ",") {
		column, stays := strings.CutSuffix(strings.TrimSpace(part), "!")
		if column == "" {
			continue
		}
		ranked = append(ranked, column)
		// A name may take two lines of the head: its last word is looked for.
		if last := column[strings.LastIndexByte(column, '_')+1:]; stays && !strings.Contains(words, last) {
			j.t.Errorf("%s: the column %s left:\n%s", name, column, shown)
		}
	}
	return ranked
}

func noLongLine(t *testing.T, args []string, shown string) {
	t.Helper()
	if shown == "" {
		t.Errorf("%v shows nothing", args)
	}
	for line := range strings.Lines(shown) {
		if n := len([]rune(strings.TrimRight(line, "\r\n"))); n > 80 {
			t.Errorf("%v: a line of %d characters: %s", args, n, line)
		}
	}
}

// piped: into a pipe goes every column.
func piped(j *judged, name string, ranked, args []string) {
	r := command(j.t, j.data, args...)
	head, _, _ := strings.Cut(r.out, "─")
	words := strings.Join(strings.Fields(head), "")
	for _, column := range ranked {
		if r.code != 0 || !strings.Contains(words, column) {
			j.t.Errorf("%s: into a pipe goes, with exit code %d, %s%s: without %s", name, r.code, r.errOut, head, column)
		}
	}
}

// onTerminal runs a command in a terminal of 80 columns, and returns what that shows, without colours.
func onTerminal(t testing.TB, data string, args ...string) string {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer terminal.Close()
	fd := int(terminal.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Error(err)
		return ""
	}
	end, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Error(err)
		return ""
	}
	cmd := exec.Command(program(t), append([]string{"--data", data}, args...)...)
	cmd.Env, cmd.Dir, cmd.Stdout = append(siteEnv(t), "TERM=xterm"), buildDir, end
	var errs, shown bytes.Buffer
	cmd.Stderr = &errs
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = shown.ReadFrom(terminal) // it ends with an error when the other end is closed
	}()
	err = cmd.Run()
	end.Close()
	<-read
	if err != nil {
		t.Errorf("%v in a terminal: %v: %s", args, err, errs.String())
	}
	return colours.ReplaceAllString(shown.String(), "")
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
