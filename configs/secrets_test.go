package configs_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"statewire/configs"
)

const hidden = "correct-horse"

func loadWith(file string, env []string, flags map[string]string) (configs.Config, []configs.Value, error) {
	return configs.Load(configs.Source{Env: env, Flags: flags, Read: func(path string) ([]byte, error) {
		if file == "" || path == configs.SystemFile {
			return nil, fs.ErrNotExist
		}
		return []byte(file), nil
	}})
}

// A secret comes from a file of its own, from a variable or from systemd. Where others would read it, it is refused
// with the reason and the other ways, and is not repeated.
func TestASecretIsRefusedWhereOthersReadIt(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		env        []string
		flags      map[string]string
		want       []string
	}{
		{"on the command line", "", nil, map[string]string{"store.password": hidden},
			[]string{"list of processes", "store.password_file", "STATEWIRE_STORE_PASSWORD", "credential store.password"}},
		{"a token on the command line", "", nil, map[string]string{"agent.enroll_token": hidden},
			[]string{"list of processes", "agent.enroll_token_file", "credential agent.enroll_token"}},
		{"in the file", "store:\n  user: x\n  password: " + hidden, nil, nil,
			[]string{"line 3", "others read this file", "store.password_file"}},
		{"in the file, as something else", "store:\n  password: {a: " + hidden + "}", nil, nil,
			[]string{"unknown key store.password.a"}},
		{"a token in a variable", "", []string{"STATEWIRE_AGENT_ENROLL_TOKEN=" + hidden}, nil,
			[]string{"for one use", "agent.enroll_token_file"}},
		{"in a variable and a file", "", []string{"STATEWIRE_STORE_PASSWORD=" + hidden, "STATEWIRE_STORE_PASSWORD_FILE=/x"},
			nil, []string{"store.password_file", "in one place"}},
		{"in a misspelt variable", "", []string{"STATEWIRE_STORE_PASSWROD=" + hidden}, nil, []string{"unknown variable"}},
		{"in an address", "", []string{"STATEWIRE_STORE_ADDR=https://me:" + hidden + "@db.example:8443"}, nil,
			[]string{"store.addr", "https://…@db.example:8443"}},
		{"in another address", "", []string{"STATEWIRE_AGENT_RELAY=https://me:" + hidden + "@relay.example"}, nil,
			[]string{"agent.relay", "https://…@relay.example"}},
	} {
		_, _, err := loadWith(tc.file, tc.env, tc.flags)
		if err == nil {
			t.Errorf("%s: taken", tc.name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in %v", tc.name, want, err)
			}
		}
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: the error shows it: %v", tc.name, err)
		}
	}
}

// The variable's secret reaches its stage, and nothing that is printed of the configuration shows it.
func TestASecretOfAVariableIsNotShown(t *testing.T) {
	cfg, values, err := loadWith("", []string{"STATEWIRE_STORE_PASSWORD=" + hidden}, nil)
	if err != nil || cfg.Store.Password.Reveal() != hidden {
		t.Fatalf("%v", err)
	}
	at := slices.IndexFunc(values, func(v configs.Value) bool { return v.Key == "store.password" })
	if at < 0 || values[at].Value != "(set)" || values[at].Origin != "environment STATEWIRE_STORE_PASSWORD" {
		t.Errorf("%v", values)
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(text), fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg),
		fmt.Sprint(values)} {
		if strings.Contains(shown, hidden) {
			t.Errorf("shown: %s", shown)
		}
	}
	if _, values, err := loadWith("", nil, nil); err != nil || slices.ContainsFunc(values,
		func(v configs.Value) bool { return v.Key == "store.password" }) {
		t.Errorf("a secret that nobody gave is shown: %v", err)
	}
}

// A service gets its secrets from systemd under the names of their keys. They win over the file, and a variable over
// them.
func TestCredentialsOfSystemdAreFound(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"store.password", "agent.enroll_token", "relay.tls_key", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"CREDENTIALS_DIRECTORY=" + dir, "STATEWIRE_RELAY_TLS_CERT=/cert.pem"}
	cfg, values, err := loadWith("store: {password_file: /other}", env, nil)
	if err != nil || cfg.Store.PasswordFile != filepath.Join(dir, "store.password") ||
		cfg.Agent.EnrollTokenFile != filepath.Join(dir, "agent.enroll_token") ||
		cfg.Relay.TLSKey != filepath.Join(dir, "relay.tls_key") {
		t.Errorf("%+v, %v", cfg.Store, err)
	}
	at := slices.IndexFunc(values, func(v configs.Value) bool { return v.Key == "store.password_file" })
	if values[at].Origin != "credential store.password" {
		t.Errorf("%v", values[at])
	}
	cfg, _, err = loadWith("", append(env, "STATEWIRE_STORE_PASSWORD_FILE=/mine"), nil)
	if err != nil || cfg.Store.PasswordFile != "/mine" {
		t.Errorf("%+v, %v", cfg.Store, err)
	}
	cfg, _, err = loadWith("", []string{"CREDENTIALS_DIRECTORY=" + t.TempDir()}, nil)
	if err != nil || cfg.Store.PasswordFile != "" || cfg.Agent.EnrollTokenFile != "" {
		t.Errorf("%+v, %v", cfg.Store, err)
	}
}
