package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"statewire/cmd/statewire/client"
)

// What the site shows of this machine is what `apt list --upgradable` lists on it.
func TestTheSiteShowsThisMachinesUpdates(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("apt"); err != nil {
		return // no source of updates
	}
	m := newMember(t, "--set", "agent.scan_interval=12h")
	m.serve()
	m.run()
	r := command(t, m.data, "--format", "json", "agent", "scan")
	if r.code != 0 {
		if lists, _ := filepath.Glob("/var/lib/apt/lists/*Packages*"); len(lists) == 0 &&
			strings.Contains(r.errOut, "apt-get update") {
			return // and it says so
		}
		t.Fatalf("agent scan ended with %d: %s", r.code, r.errOut)
	}
	if r := m.send("--now"); r.code != 0 {
		t.Fatalf("agent send --now ended with %d: %s", r.code, r.errOut)
	}
	native, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("apt", "-qq", "list", "--upgradable")
	list.Env = append(list.Environ(), "LC_ALL=C")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{}
	for _, f := range aptLine.FindAllStringSubmatch(string(out), -1) {
		if f[3] != "all" && f[3] != strings.TrimSpace(string(native)) {
			f[1] += ":" + f[3]
		}
		want = append(want, f[1]+" "+f[4]+" "+f[2])
	}
	slices.Sort(want)
	shown := func() []string {
		got := []string{}
		for _, row := range query(t, m.site, "SELECT params[1] || ' ' || params[2] || ' ' || params[3] FROM "+
			"current_states WHERE topic_type = 500 AND state_id = 2") {
			got = append(got, row...)
		}
		slices.Sort(got)
		return got
	}
	if !eventually(patience, func() bool { return slices.Equal(shown(), want) }) {
		t.Errorf("the site shows\n%s\napt lists\n%s", strings.Join(shown(), "\n"), strings.Join(want, "\n"))
	}
	t.Logf("%d updates", len(want))
}

// A demo shows the machine that it runs on beside its simulated fleet.
func TestDemoHasThisMachine(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	p := spawn(t, data, nil, "demo", "--clients", "5")
	if !eventually(patience, func() bool {
		return strings.Contains(p.output(), "Machine     "+client.HostName()) ||
			p.ended()
	}) {
		t.Fatalf("it says nothing of this machine: %q", p.output())
	}
	if r := command(t, data, "agent", "send", "--type", "500", "--topic", "demo", "--state", "2", "--now"); r.code != 0 {
		t.Fatalf("agent send --now ended with %d: %s", r.code, r.errOut)
	}
	row := "SELECT count() FROM current_states AS s JOIN clients AS c ON c.client_id = s.client_id WHERE " +
		"c.netbios_name = '" + client.HostName() + "' AND s.topic_id = 'demo'"
	if !eventually(patience, func() bool { return ask(t, data, row) == 1 }) {
		t.Errorf("no row of this machine after %v", patience)
	}
	serial := query(t, data, "SELECT serial FROM current_states WHERE topic_id = 'demo'")[0][0]
	if way := done(t, data, "trace", client.HostName(), "--serial", serial); !strings.Contains(way,
		"got serial "+serial) || !strings.Contains(way, "The relay took the report") {
		t.Errorf("trace does not begin at the agent:\n%s", way)
	}
	p.signal(syscall.SIGINT)
	if code := p.wait(patience); code != 0 {
		t.Errorf("it ended with %d, want 0", code)
	}
}
