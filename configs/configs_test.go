package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"statewire/configs"
)

func TestTheShippedFileHoldsEveryKeyWithItsDefault(t *testing.T) {
	got, values, err := configs.Load(configs.Source{File: "statewire.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	want := configs.Default()
	for _, list := range []*[]string{&got.Store.Addr, &got.Reports.Hosts, &got.Relay.Hosts} {
		if len(*list) == 0 { // an empty list and none mean the same
			*list = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("statewire.yaml gives\n%+v, want the defaults\n%+v", got, want)
	}
	for _, v := range values {
		if !strings.HasPrefix(v.Origin, "file ") {
			t.Errorf("%s is missing from statewire.yaml", v.Key)
		}
	}
}

func TestALaterSourceWins(t *testing.T) {
	file := write(t, "ingest: {loader_threads: 2, loader_chunk_size: 7}\nstore: {retention: 30d, memory: 256MiB}\n")
	cfg, values, err := configs.Load(configs.Source{
		File: file,
		Env: []string{"STATEWIRE_INGEST_LOADER_THREADS=3", "STATEWIRE_RELAY_LISTEN=:9443",
			"STATEWIRE_STORE_ADDR=a:9000,b:9000", "PATH=/bin"},
		Flags: map[string]string{"relay.listen": ":1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Ingest.LoaderThreads != 3 || cfg.Ingest.LoaderChunkFiles != 7 || cfg.Relay.Listen != ":1" {
		t.Errorf("threads %d, chunk %d, listen %q; want 3, 7, :1", cfg.Ingest.LoaderThreads, cfg.Ingest.LoaderChunkFiles,
			cfg.Relay.Listen)
	}
	if cfg.Store.Retention != 30*24*time.Hour || cfg.Store.Memory != 256<<20 ||
		!reflect.DeepEqual(cfg.Store.Addr, []string{"a:9000", "b:9000"}) {
		t.Errorf("store is %+v", cfg.Store)
	}
	origins := map[string]string{}
	for _, v := range values {
		origins[v.Key] = v.Origin
	}
	for key, want := range map[string]string{
		"ingest.loader_threads":    "environment STATEWIRE_INGEST_LOADER_THREADS",
		"ingest.loader_chunk_size": "file " + file,
		"relay.listen":             "flag",
		"agent.send_interval":      "default",
	} {
		if origins[key] != want {
			t.Errorf("origin of %s is %q, want %q", key, origins[key], want)
		}
	}
}

func TestAWrongValueNamesItsKeyAndWhatIsAllowed(t *testing.T) {
	for _, tt := range []struct {
		name, file, want string
	}{
		{"unknown key", "ingest: {loader_thread: 4}",
			"line 1: unknown key ingest.loader_thread; did you mean ingest.loader_threads?"},
		{"a key like no other", "ingest:\n  quickly: yes",
			"line 2: unknown key ingest.quickly; known in ingest: ingest.batch_delay"},
		{"an unknown key without a value", "ingest:\n  quickly:", "line 2: unknown key ingest.quickly"},
		{"a section with a value", "ingest: fast", "line 1: ingest is a section"},
		{"a list of sections", "- ingest", "line 1: a configuration is sections"},
		{"a key twice", "ingest: {batch_rows: 1, Batch_Rows: 2}", "key ingest.batch_rows is given again, after line 1"},
		{"a second document", "ingest: {batch_rows: 1}\n---\nrelay: {listen: ':1'}",
			"a second YAML document begins at line 2"},
		{"a second document behind an empty one", "---\n---\nrelay: {listen: ':1'}", "a second YAML document"},
		{"a second document that is no YAML", "ingest: {batch_rows: 1}\n---\n[", "yaml"},
		{"a list for a single value", "store: {database: [a]}", "store.database"},
		{"yes for a size", "store: {memory: true}", `"true" is not a size`},
		{"a fraction for a size", "store: {memory: 1.5}", `"1.5" is not a size`},
		{"a size that is no number", "store: {memory: nanMiB}", `"nanMiB" is not a size`},
		{"days in hexadecimal", "store: {retention: 0x10d}", `"0x10d" is not a duration`},
		{"a number with a zero before it is no octal one", "ingest: {loader_threads: 0x4}", `"0x4" is not a whole number`},
		{"an alias of itself", "relay: &a {relay: *a}", "unknown key relay.relay.relay"},
		{"an empty mapping for a value", "relay: {listen: {}}", "relay.listen"},
		{"a section given twice with one key", "ingest: {batch_rows: 1}\nIngest: {batch_rows: 2}",
			"line 2: key ingest.batch_rows is given again"},
		{"an empty entry of a list", `store: {addr: "a:9000,,b:9000"}`, "entry 2 of the list is no text"},
		{"a port in a name of a host", "reports: {hosts: ['pc:8080']}", `reports.hosts: "pc:8080" is no name of a host`},
		{"unknown section", "ingets: {loader_threads: 4}",
			"unknown key ingets.loader_threads; did you mean ingest.loader_threads?"},
		{"number out of range", "ingest: {loader_threads: 0}", "ingest.loader_threads is 0; allowed are 1 to 64"},
		{"duration without a unit", "ingest: {inbox_polling_interval: 900}", `"900" is not a duration`},
		{"not a duration", "resync: {check_interval: often}", `"often" is not a duration`},
		{"not a size", "store: {memory: much}", `"much" is not a size`},
		{"not a number", "ingest: {loader_threads: four}", `ingest.loader_threads "four" is not a whole number`},
		{"not a whole number", "fsp: {messages: 1.5}", `fsp.messages "1.5" is not a whole number`},
		{"not yaml", "ingest: [", "yaml"},
		{"reports to everybody", `reports: {listen: ":8080"}`, "reports.listen"},
		{"a wrong class of a state", "reports: {state_classes: " + write(t, "topic_type,state_id,class\n1,2,fine\n") + "}",
			`line 2: class "fine" is none`},
		{"no file of classes", "reports: {state_classes: nowhere.csv}", "reports.state_classes: open nowhere.csv"},
		{"open relay", `relay: {auth: none}`, "loopback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := configs.Load(configs.Source{File: write(t, tt.file)})
			var config *configs.Error
			if !errors.As(err, &config) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want a configuration error with %q", err, tt.want)
			}
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, _, err := configs.Load(configs.Source{File: write(t, "ingest: {loader_threads: 0}\nnotifier: {throttle: 0}\n")})
	if err == nil || !strings.Contains(err.Error(), "loader_threads") || !strings.Contains(err.Error(), "throttle") {
		t.Errorf("error is %v, want both keys", err)
	}
}

// A command is stopped by what is wrong in the sections that it uses, and by no other.
func TestOnlySectionsInUseStopACommand(t *testing.T) {
	for _, tt := range []struct {
		name, key, value string
		used             []string
		want             string // in the error; empty = none
	}{
		{"wrong in another section", "relay.auth", "none", []string{"agent"}, ""},
		{"wrong in the section in use", "relay.auth", "none", []string{"agent", "relay"}, "relay.auth"},
		{"wrong anywhere when all are in use", "relay.auth", "none", nil, "relay.auth"},
		{"no section in use", "relay.auth", "none", []string{}, ""},
		{"a wrong type in another section", "ingest.loader_threads", "many", []string{"agent"}, ""},
		{"a wrong type in the section in use", "agent.send_interval", "often", []string{"agent"}, "agent.send_interval"},
		{"an unknown key in another section", "relay.speed", "9", []string{"agent"}, "unknown key relay.speed"},
		{"an unknown section", "relais.auth", "none", []string{"agent"}, "unknown key relais.auth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, _, err := configs.Load(configs.Source{
				File: write(t, "relay: {listen: '0.0.0.0:1'}"), Flags: map[string]string{tt.key: tt.value,
					"agent.policy_interval": "7m"}, Sections: tt.used,
			})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want one with %q", err, tt.want)
			}
			if err == nil && cfg.Agent.PolicyInterval != 7*time.Minute {
				t.Errorf("the section in use has %v", cfg.Agent.PolicyInterval)
			}
			if err == nil && cfg.Validate() != nil {
				t.Errorf("the others are not at their defaults: %v", cfg.Validate())
			}
		})
	}
}

func TestAMissingFileThatWasNamedIsAnError(t *testing.T) {
	if _, _, err := configs.Load(configs.Source{File: filepath.Join(t.TempDir(), "none.yaml")}); err == nil {
		t.Error("no error")
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "statewire.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A key that says nothing is one that is not there: whoever comments out the last key of a section need not touch the
// section.
func TestAKeyWithoutAValueSaysNothing(t *testing.T) {
	for name, file := range map[string]string{
		"every key commented out":  "relay:\n  # listen: ':1'\n  # auth: mtls\nresync:\n  max_outstanding: 5\n",
		"a section alone":          "agent:\nresync: {max_outstanding: 5}\n",
		"null":                     "store: ~\nresync: {max_outstanding: 5}\n",
		"an empty section":         "relay: {}\nresync: {max_outstanding: 5}\n",
		"a key":                    "relay:\n  listen:\nresync: {max_outstanding: 5}\n",
		"a leading line of dashes": "---\nresync: {max_outstanding: 5}\n",
		"the end marked":           "resync: {max_outstanding: 5}\n...\n",
		"other letters":            "Resync: {Max_Outstanding: 5}\n",
		"the section by an alias":  "fsp: &x {}\nresync: {max_outstanding: 5}\nagent: *x\n",
	} {
		t.Run(name, func(t *testing.T) {
			want := configs.Default()
			want.Resync.MaxOutstanding = 5
			got, values, err := configs.Load(configs.Source{File: write(t, file)})
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("error %v, resync %+v, relay %+v", err, got.Resync, got.Relay)
			}
			for _, v := range values {
				if set := strings.HasPrefix(v.Origin, "file "); set != (v.Key == "resync.max_outstanding") {
					t.Errorf("%s comes from %s", v.Key, v.Origin)
				}
			}
		})
	}
	for name, file := range map[string]string{"nothing": "", "a comment": "# relay:\n", "dashes": "---\n", "null": "~\n"} {
		if got, _, err := configs.Load(configs.Source{File: write(t, file)}); err != nil ||
			!reflect.DeepEqual(got, configs.Default()) {
			t.Errorf("a file with %s: %v", name, err)
		}
	}
}

// A variable that bears the program's name was meant to set something.
func TestAVariableThatSetsNothingIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name, entry, want string // in the error; empty = none
	}{
		{"a letter is missing", "STATEWIRE_RELAY_LISTN=:1",
			"unknown variable STATEWIRE_RELAY_LISTN; did you mean STATEWIRE_RELAY_LISTEN?"},
		{"two letters exchanged", "STATEWIRE_STORE_MEMROY=256MiB", "did you mean STATEWIRE_STORE_MEMORY?"},
		{"lower case", "statewire_relay_listen=:1",
			"unknown variable statewire_relay_listen; did you mean STATEWIRE_RELAY_LISTEN?"},
		{"like no other", "STATEWIRE_WEATHER=fine",
			"unknown variable STATEWIRE_WEATHER; relay.listen is STATEWIRE_RELAY_LISTEN"},
		{"a value in an unknown one is not shown", "STATEWIRE_STORE_PASSWORT=secret",
			"unknown variable STATEWIRE_STORE_PASSWORT; "},
		{"another program's", "STATEWIREX=1", ""},
		{"no name", "=C:=C:\\", ""},
		{"for the tests", "STATEWIRE_TEST_SEED=1", ""},
		{"a service of Kubernetes", "STATEWIRE_SERVICE_HOST=10.0.0.1", ""},
		{"its port", "STATEWIRE_RELAY_SERVICE_PORT=8443", ""},
		{"its named port", "STATEWIRE_SERVICE_PORT_HTTPS=8443", ""},
		{"a link", "STATEWIRE_PORT=tcp://10.0.0.1:8443", ""},
		{"parts of a link", "STATEWIRE_PORT_8443_TCP_ADDR=10.0.0.1", ""},
		{"a port that is no link", "STATEWIRE_RELAY_PORT=8443", "unknown variable STATEWIRE_RELAY_PORT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := configs.Load(configs.Source{File: write(t, ""), Env: []string{tt.entry}, Sections: []string{"agent"}})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want one with %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}

func TestAFlagThatIsNoKeyNamesTheNearest(t *testing.T) {
	_, _, err := configs.Load(configs.Source{File: write(t, ""), Flags: map[string]string{"relay.client_rat": "1"}})
	if err == nil || !strings.Contains(err.Error(),
		"flag: unknown key relay.client_rat; did you mean relay.client_rate?") {
		t.Errorf("error is %v", err)
	}
}

// Every address is checked as one, whatever it is for.
func TestAPortThatIsNoneIsRefused(t *testing.T) {
	for _, tt := range []struct {
		key, before string
		dial        bool
	}{
		{"relay.listen", "127.0.0.1:", false}, {"notifier.listen", ":", false}, {"fsp.listen", ":", false}, {"reports.listen",
			"localhost:", false},
		{"store.listen", "[::1]:", false}, {"store.addr", "db:", true}, {"store.addr", "https://db:", true}, {"agent.relay",
			"https://mp:", true},
	} {
		for port, ok := range map[string]bool{
			"0": !tt.dial, "1": true, "65535": true, "65536": false, "99999": false, "-1": false, "abc": false, "https": false,
			" 1": false, `1"`: false, "1x": false,
		} {
			_, _, err := configs.Load(configs.Source{File: write(t, ""), Flags: map[string]string{tt.key: tt.before + port}})
			if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), tt.key) {
				t.Errorf("%s=%s%s: %v", tt.key, tt.before, port, err)
			}
		}
	}
	for key, value := range map[string]string{
		"relay.listen": `"127.0.0.1:9443"`, "notifier.listen": "ho st:1", "agent.relay": "https://u:p@mp:1",
		"store.addr": "db", "fsp.listen": "on",
	} {
		if _, _, err := configs.Load(configs.Source{File: write(t, ""), Flags: map[string]string{key: value}}); err == nil ||
			!strings.Contains(err.Error(), key) {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
}

func TestAListMayHaveBlanks(t *testing.T) {
	cfg, _, err := configs.Load(configs.Source{File: write(t, ""),
		Env: []string{"STATEWIRE_REPORTS_HOSTS= a.example , b.example"}})
	if err != nil || !reflect.DeepEqual(cfg.Reports.Hosts, []string{"a.example", "b.example"}) {
		t.Errorf("hosts are %q (%v)", cfg.Reports.Hosts, err)
	}
}
