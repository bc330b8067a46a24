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
	for _, list := range []*[]string{&got.Store.Addr, &got.Reports.Hosts} {
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
		File:  file,
		Env:   []string{"STATEWIRE_INGEST_LOADER_THREADS=3", "STATEWIRE_RELAY_LISTEN=:9443", "STATEWIRE_STORE_ADDR=a:9000,b:9000", "PATH=/bin"},
		Flags: map[string]string{"relay.listen": ":1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Ingest.LoaderThreads != 3 || cfg.Ingest.LoaderChunkFiles != 7 || cfg.Relay.Listen != ":1" {
		t.Errorf("threads %d, chunk %d, listen %q; want 3, 7, :1", cfg.Ingest.LoaderThreads, cfg.Ingest.LoaderChunkFiles, cfg.Relay.Listen)
	}
	if cfg.Store.Retention != 30*24*time.Hour || cfg.Store.Memory != 256<<20 || !reflect.DeepEqual(cfg.Store.Addr, []string{"a:9000", "b:9000"}) {
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
		{"unknown key", "ingest: {loader_thread: 4}", "ingest.loader_thread; known in ingest: ingest.batch_delay"},
		{"unknown section", "ingets: {loader_threads: 4}", "unknown key ingets.loader_threads"},
		{"number out of range", "ingest: {loader_threads: 0}", "ingest.loader_threads is 0; allowed are 1 to 64"},
		{"duration without a unit", "ingest: {inbox_polling_interval: 900}", `"900" is not a duration`},
		{"not a duration", "resync: {check_interval: often}", `"often" is not a duration`},
		{"not a size", "store: {memory: much}", `"much" is not a size`},
		{"not a number", "ingest: {loader_threads: four}", `ingest.loader_threads "four" is not a whole number`},
		{"not a whole number", "fsp: {messages: 1.5}", `fsp.messages "1.5" is not a whole number`},
		{"not yaml", "ingest: [", "yaml"},
		{"reports to everybody", `reports: {listen: ":8080"}`, "reports.listen"},
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
				File: write(t, "relay: {listen: '0.0.0.0:1'}"), Flags: map[string]string{tt.key: tt.value, "agent.policy_interval": "7m"}, Sections: tt.used,
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
