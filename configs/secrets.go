package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"statewire/internal/parse"
)

// secret is a setting that only whom it is for may see. It comes from a file of its own, from a credential of systemd,
// or from the environment where a variable is named; never from the configuration file, which others read, and never
// from the command line, which everybody on the machine reads in the list of processes.
type secret struct {
	key  string // names the credential, too
	file string // the key that names a file with it
	env  bool
}

var secrets = [...]secret{
	{"store.password", "store.password_file", true},
	{"agent.enroll_token", "agent.enroll_token_file", false},
	{"relay.tls_key", "relay.tls_key", false},
}

// secretOf is the secret with this key; one whose key names a file is none to who gives a value.
func secretOf(key string) (secret, bool) {
	for _, s := range secrets {
		if s.key == key && s.key != s.file {
			return s, true
		}
	}
	return secret{}, false
}

// ways says how the secret may be given.
func (s secret) ways() string {
	text := fmt.Sprintf("put it into a file that only its user reads and name that with %s", s.file)
	if s.env {
		text += fmt.Sprintf(", or into the variable %s", EnvName(s.key))
	}
	return text + fmt.Sprintf(", or give it as the systemd credential %s", s.key)
}

// refuse is the error of a secret in a place that others read.
func (s secret) refuse(where, why string) error {
	return fmt.Errorf("%s: %s does not belong there, because %s; %s", where, s.key, why, s.ways())
}

// readCredentials takes the files that systemd hands to a service (LoadCredential=, SetCredentialEncrypted=).
func (l *loader) readCredentials(env []string) {
	dir := ""
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "CREDENTIALS_DIRECTORY="); ok {
			dir = value
		}
	}
	if dir == "" {
		return
	}
	for _, s := range secrets {
		if path := filepath.Join(dir, s.key); slices.Contains(l.known, s.file) && isFile(path) {
			l.set(s.file, path, "credential "+s.key)
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// readSecret takes a variable that holds a secret itself; false when it is of no secret.
func (l *loader) readSecret(name, value string) bool {
	for _, s := range secrets {
		if name != EnvName(s.key) || s.key == s.file {
			continue
		}
		if !s.env {
			l.errs = append(l.errs, s.refuse("environment "+name, "it is for one use"))
			return true
		}
		l.secrets[s.key] = parse.Secret(value)
		return true
	}
	return false
}

// giveSecrets puts the secrets into their stages' configuration.
func (l *loader) giveSecrets(cfg *Config) { cfg.Store.Password = l.secrets["store.password"] }

// shownSecrets says where the secrets came from, and nothing else of them.
func (l *loader) shownSecrets() (list []Value) {
	for _, s := range secrets {
		if value := l.secrets[s.key]; value != "" {
			list = append(list, Value{Key: s.key, Value: value.String(), Origin: "environment " + EnvName(s.key)})
		}
	}
	return list
}
