package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"statewire/cmd/statewire/cli"
	"statewire/identity"
	"statewire/site"
	"statewire/trust"
)

// trustSite is a data directory with trust keys.
type trustSite struct {
	t    *testing.T
	data string
}

func newTrustSite(t *testing.T) trustSite {
	t.Helper()
	s := trustSite{t, t.TempDir()}
	if _, err := identity.Open(site.IdentityDir(s.data), identity.Options{}); err != nil {
		t.Fatal(err)
	}
	s.keys()
	return s
}

func (s trustSite) keys() *trust.Keys {
	s.t.Helper()
	k, err := trust.OpenKeys(filepath.Join(s.data, "identity", "trust"), trust.Options{Site: "HQ"})
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

// run runs a trust command of this process; what it ends with is want, "" for nothing.
func (s trustSite) run(want string, args ...string) (out, errOut string) {
	s.t.Helper()
	return s.runAny(want, append([]string{"trust"}, args...)...)
}

// runAny is run of any command.
func (s trustSite) runAny(want string, args ...string) (out, errOut string) {
	s.t.Helper()
	cmd := (&globals{}).root()
	var o, e bytes.Buffer
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	cmd.SetArgs(append([]string{"--data", s.data}, args...))
	err := cmd.Execute()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		s.t.Fatalf("%v ended with %v, want %q", args, err, want)
	}
	return o.String(), e.String()
}

// An administrator takes the keys away, signs the next document elsewhere and later gives the site another root; only
// documents go to and fro.
func TestTheKeysAreTakenAwayAndTheNextDocumentIsSignedElsewhere(t *testing.T) {
	s := newTrustSite(t)
	away, next := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "next.json")
	write := func(text string) {
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.run("--out", "offline")
	s.run("in the data directory", "offline", "--out", filepath.Join(s.data, "identity", "..", "keys"))
	if err := os.Symlink(s.data, away); err != nil {
		t.Fatal(err)
	}
	s.run("in the data directory", "offline", "--out", filepath.Join(away, "new"))
	if err := os.Remove(away); err != nil {
		t.Fatal(err)
	}
	if out, _ := s.run("", "offline", "--out", away); !strings.Contains(out, "2 keys moved") {
		t.Error(out)
	}
	s.run("taken away before", "offline", "--out", away)

	out, words := s.run("", "next")
	if !strings.Contains(words, "did NOT sign") {
		t.Error(words)
	}
	write(out)
	s.run("wrong_trust", "load", next)
	s.run("--keys", "sign", next)
	s.run("", "sign", next, "--keys", away)
	if out, words := s.run("", "load", next); !strings.Contains(out, "version 2") || words != "" {
		t.Errorf("%s%s", out, words)
	}

	before, other := s.keys().RootIDs(), filepath.Join(t.TempDir(), "other")
	made, _ := s.run("", "init", "--out", other)
	s.run("not empty", "init", "--out", other)
	out, _ = s.run("", "next", "--from", filepath.Join(other, "trust.json"))
	write(out)
	s.run("--other-roots", "sign", next, "--keys", away)
	s.run("", "sign", next, "--keys", away, "--other-roots")
	s.run("wrong_trust", "load", next)
	s.run("", "sign", next, "--keys", other)
	s.runAny("", "enroll", "token", "create")
	if list, _ := s.runAny("", "enroll", "token", "list"); !strings.Contains(list, "usable") {
		t.Error(list)
	}
	if _, words := s.run("", "load", next); !strings.Contains(words, "enrolment tokens") {
		t.Error(words)
	}
	if list, _ := s.runAny("", "enroll", "token", "list"); strings.Contains(list, "usable") || !strings.Contains(list,
		"void") {
		t.Errorf("the roots are others, and tokens are still good: %s", list)
	}
	months, err := filepath.Glob(filepath.Join(s.data, "audit", "*.jsonl"))
	if err != nil || len(months) == 0 {
		t.Fatal(months, err)
	}
	log, err := os.ReadFile(months[0])
	for _, action := range []string{`"trust.offline","object":"trust","targets":2`, `"trust.next"`,
		`"trust.load","object":"trust:2"`, `"trust.load","object":"trust:3"`} {
		if !strings.Contains(string(log), action) {
			t.Errorf("%s is not in the audit log (%v): %s", action, err, log)
		}
	}
	if got := s.keys().RootIDs(); slices.Equal(got, before) || made != "root "+got[0]+"\n" {
		t.Errorf("%v; made %s", got, made)
	}
}

// A trust document is shown in words and as a row per key, of the site and of a file.
func TestATrustDocumentIsShown(t *testing.T) {
	s := newTrustSite(t)
	root := s.keys().RootIDs()[0]
	words, _ := s.run("", "show")
	for _, want := range []string{"version 1 ", "1 of its 1 root", "root key " + root + ", signed this, on the server",
		"for every pack", `for "HQ"`, time.Now().Add(trust.TaskKeyLife).UTC().Format(time.DateOnly)} {
		if !strings.Contains(words, want) {
			t.Errorf("%q is not in %s", want, words)
		}
	}
	rows, _ := s.run("", "show", "--format", "csv", trust.DocumentFile(filepath.Join(s.data, "identity", "trust")))
	lines := strings.Split(strings.TrimSpace(rows), "\n")
	if len(lines) != 4 || !strings.Contains(lines[1], ",1,root,"+root+",,,true,true") || !strings.Contains(lines[2],
		",pack,") || !strings.Contains(lines[3], ",HQ,true,false") {
		t.Error(rows)
	}
	empty := trustSite{t, t.TempDir()}
	for _, args := range [][]string{{"show"}, {"next"}, {"offline", "--out", t.TempDir()}} {
		empty.run("no trust keys yet", args...)
	}
	if entries, err := os.ReadDir(empty.data); err != nil || len(entries) != 0 {
		t.Errorf("a command made %v", entries)
	}
	if err := os.WriteFile(filepath.Join(empty.data, "x"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"show", "load"} {
		s.run("not a trust document", name, filepath.Join(empty.data, "x"))
	}
	s.run("one file", "load")
}

// `status` says where the keys are and until when, and warns when somebody has to sign.
func TestStatusSaysHowTheSiteStandsWithItsKeys(t *testing.T) {
	now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	in := func(days int) time.Time { return now.Add(time.Duration(days) * 24 * time.Hour) }
	here := trust.Standing{Version: 3, RootsHere: 1, PackKeysHere: 2, Signs: true}
	for _, tc := range []struct {
		name          string
		here          bool
		expires, task time.Time
		health        cli.Health
		says          string
	}{
		{"on the server", true, in(365), in(90), cli.HealthOK, "1 root key and 2 pack keys on the server; version 3"},
		{"on the server, soon", true, in(365), in(1), cli.HealthOK, "a running site signs"},
		{"on the server, ended", true, in(365), in(0), cli.HealthWarning, "a running site signs"},
		{"offline", false, in(365), in(31), cli.HealthOK, "offline; version 3 of the trust document is good until " +
			"2027-11-29, the task key until 2026-12-30; before then, sign"},
		{"the task key ends soon", false, in(365), in(30), cli.HealthWarning, "; sign the next one: `statewire trust next`"},
		{"the document ends soon", false, in(30), in(31), cli.HealthWarning, "; sign the next one"},
		{"the task key ended", false, in(1), in(0), cli.HealthCritical, "no task can be signed"},
		{"no task key", false, in(100), time.Time{}, cli.HealthCritical, "no task key is on the server; no task can"},
		{"the document ended", false, in(0), in(1), cli.HealthCritical, "no new pack and no task"},
	} {
		standing := trust.Standing{Version: 3}
		if tc.here {
			standing = here
		}
		standing.Expires, standing.TaskKeyEnds = tc.expires, tc.task
		if c := standingCheck(standing, now); c.health != tc.health || !strings.Contains(c.detail, tc.says) {
			t.Errorf("%s: %v %s", tc.name, c.health, c.detail)
		}
	}
	s := newTrustSite(t)
	g := &globals{Globals: cli.Globals{Data: s.data}}
	dir := filepath.Join(s.data, "identity", "trust")
	if c := g.trustCheck(time.Now()); len(c) != 1 || c[0].health != cli.HealthOK {
		t.Errorf("%v", c)
	}
	// no key is opened: one that is damaged changes nothing
	for _, kind := range []string{"root", "pack", "task"} {
		paths, _ := filepath.Glob(filepath.Join(dir, kind+"-*.key"))
		if len(paths) != 1 || os.WriteFile(paths[0], nil, 0o600) != nil {
			t.Fatal(paths)
		}
	}
	if c := g.trustCheck(time.Now()); len(c) != 1 || c[0].health != cli.HealthOK {
		t.Errorf("%v", c)
	}
	if err := os.Remove(trust.DocumentFile(dir)); err != nil {
		t.Fatal(err)
	}
	if c := g.trustCheck(time.Now()); len(c) != 1 || c[0].health != cli.HealthCritical || !strings.Contains(c[0].detail,
		"backup") {
		t.Errorf("%v", c)
	}
	if c := (&globals{Globals: cli.Globals{Data: t.TempDir()}}).trustCheck(time.Now()); c != nil {
		t.Error(fmt.Sprint(c))
	}
}
