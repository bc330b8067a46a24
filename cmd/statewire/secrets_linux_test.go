package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shown is everything that people other than the one who asked for a secret get to see.
type shown struct {
	t    *testing.T
	text map[string]string // by where it was seen
}

// see keeps what a command says, on both outputs.
func (s *shown) see(data string, args ...string) result {
	s.t.Helper()
	r := command(s.t, data, args...)
	s.text[fmt.Sprintf("statewire %q", args)] += r.out + r.errOut
	return r
}

// process keeps what the list of processes shows of one.
func (s *shown) process(p *process) {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid))
	if err != nil || len(text) == 0 {
		s.t.Fatalf("%q, %v", text, err)
	}
	s.text["the list of processes"] += string(text)
}

// keysBelow are the private keys in the files of a folder, by file: each line of their PEM.
func keysBelow(t *testing.T, dir string) map[string][]string {
	t.Helper()
	keys := map[string][]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if strings.HasSuffix(block.Type, "PRIVATE KEY") {
				lines := strings.Split(strings.TrimSpace(string(pem.EncodeToMemory(block))), "\n")
				keys[path] = append(keys[path], lines[1:len(lines)-1]...)
			}
		}
		if bytes.HasPrefix(text, []byte("PRIVATE+KEY+")) { // of a signed note
			parts := strings.SplitN(strings.TrimSpace(string(text)), "+", 5) // the last is base64, which may hold a +
			keys[path] = append(keys[path], parts[4])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A secret is said once, to whoever asked for it. No log, no listing, no error and no list of processes shows one.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	data, machine, own := dataDir(t), dataDir(t), t.TempDir()
	s := &shown{t, map[string]string{}}
	const password = "correct-horse-battery"
	passwordFile := filepath.Join(own, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	site := spawn(t, data, nil, "serve", "--log-level", "debug", "--set", "relay.auth=mtls", "--set",
		"store.password_file="+passwordFile)
	site.await("site started", "relay", patience)
	relay := site.await("relay listening", "addr", patience)

	secrets := map[string]string{"the password": password}
	tokenFile := filepath.Join(own, "token")
	keepToken := func(name string, text string) {
		t.Helper()
		parts := strings.Split(strings.TrimSpace(text), ".")
		if len(parts) != 4 {
			t.Fatalf("%s is %q", name, text)
		}
		secrets[name] = parts[2]
	}
	first, err := os.ReadFile(filepath.Join(data, "run", "first-steps"))
	if err != nil {
		t.Fatal(err)
	}
	keepToken("the first token", strings.Fields(string(first))[1])
	token := done(t, data, "enroll", "token", "create")
	token = token[strings.Index(token, "swe1."):]
	token = strings.Fields(token)[0]
	keepToken("an enrolment token", token)
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	api := done(t, data, "token", "create", "--role", "viewer", "--format", "json")
	_, api, _ = strings.Cut(api, "swt_")
	_, api, _ = strings.Cut(api, "_")
	secrets["an API token"], _, _ = strings.Cut(api, `"`)

	if r := s.see(machine, "agent", "enroll", "--relay", "https://"+relay, "--token-file", tokenFile, "--log-level",
		"debug"); r.code != 0 {
		t.Fatalf("agent enroll ended with %d: %s", r.code, r.errOut)
	}
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil { // which is used now
		t.Fatal(err)
	}
	s.see(dataDir(t), "agent", "enroll", "--relay", "https://"+relay, "--token-file", tokenFile)
	if err := os.WriteFile(tokenFile, []byte(token[:len(token)-3]), 0o600); err != nil {
		t.Fatal(err)
	}
	s.see(dataDir(t), "agent", "enroll", "--relay", "https://"+relay, "--token-file", tokenFile)
	agent := spawn(t, machine, nil, "agent", "run", "--log-level", "debug")
	agent.await("agent started", "client", patience)
	s.process(site)
	s.process(agent)
	s.see(machine, "agent", "status")
	for _, line := range []string{"status", "config show", "config check", "enroll token list", "token list",
		"client list",
		"trust show",
		"trust next", "trust load " + tokenFile, "enroll token revoke " + token, "config check --set store.password=" +
			password,
		"config check --set store.addr=https://x:" + password + "@db.example:8443"} {
		s.see(data, append(strings.Fields(line), "--config", configOf(t, own, passwordFile))...)
	}

	if out := done(t, data, "trust", "offline", "--out", filepath.Join(own, "keys")); !strings.Contains(out, "2 keys") {
		t.Error(out)
	}
	next := filepath.Join(own, "next.json")
	if err := os.WriteFile(next, []byte(done(t, data, "trust", "next")), 0o600); err != nil {
		t.Fatal(err)
	}
	done(t, data, "trust", "sign", next, "--keys", filepath.Join(own, "keys"))
	if out := done(t, data, "trust", "load", next); !strings.Contains(out, "version 2") {
		t.Error(out)
	}

	for folder, least := range map[string]int{own: 2, data: 3, machine: 1} {
		keys := keysBelow(t, folder)
		if len(keys) < least {
			t.Errorf("only %d files with keys in %s: the search is broken", len(keys), folder)
		}
		for file, lines := range keys {
			for i, line := range lines {
				secrets[fmt.Sprintf("line %d of the key in %s", i+1, file)] = line
			}
		}
	}
	s.text["the site's log"], s.text["the agent's log"] = site.text()+site.output(), agent.text()+agent.output()
	for name, secret := range secrets {
		if len(secret) < 8 {
			t.Errorf("%s is %q", name, secret)
		}
		for where, text := range s.text {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows %s", where, name)
			}
		}
	}
}

// configOf is a configuration file that names a file with a secret.
func configOf(t *testing.T, dir, passwordFile string) string {
	t.Helper()
	path := filepath.Join(dir, "statewire.yaml")
	if err := os.WriteFile(path, []byte("store:\n  password_file: "+passwordFile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
