package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDefaultConfigIsValid(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigAcceptsAddresses(t *testing.T) {
	tests := []struct {
		name, addr, tls string
		want            endpoint
	}{
		{"native with TLS is the default", "ch1.example.com:9440", "on",
			endpoint{false, true, []string{"ch1.example.com:9440"}}},
		{"native by name of the protocol", "clickhouse://ch1:9440", "on", endpoint{false, true, []string{"ch1:9440"}}},
		{"https", "https://ch1:8443", "on", endpoint{true, true, []string{"ch1:8443"}}},
		{"http on this machine", "http://127.0.0.1:8123", "on", endpoint{true, false, []string{"127.0.0.1:8123"}}},
		{"native on this machine without TLS", "localhost:9000", "off", endpoint{false, false, []string{"localhost:9000"}}},
		{"IPv6", "[::1]:9000", "off", endpoint{false, false, []string{"[::1]:9000"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig()
			c.Addr, c.TLS = []string{tt.addr}, tt.tls
			got, err := c.endpoint()
			if err != nil || got.http != tt.want.http || got.tls != tt.want.tls || got.hosts[0] != tt.want.hosts[0] {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestConfigRefusesWithTheKey(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"no port", func(c *Config) { c.Addr = []string{"ch1"} }, []string{"store.addr", "host:port"}},
		{"unknown protocol", func(c *Config) { c.Addr = []string{"ftp://ch1:1"} }, []string{"store.addr"}},
		{"password in the address", func(c *Config) { c.Addr = []string{"https://u:p@ch1:1"} }, []string{"store.addr"}},
		{"not encrypted across the network", func(c *Config) { c.Addr = []string{"http://ch1:8123"} },
			[]string{"store.addr", "not encrypted"}},
		{"not encrypted in a private network", func(c *Config) { c.Addr = []string{"http://10.0.0.1:8123"} },
			[]string{"store.addr", "not encrypted"}},
		{"TLS off in a private network", func(c *Config) { c.Addr, c.TLS = []string{"10.0.0.1:9000"}, "off" },
			[]string{"not encrypted"}},
		{"TLS off to every address of this machine", func(c *Config) { c.Addr, c.TLS = []string{"0.0.0.0:9000"}, "off" },
			[]string{"not encrypted"}},
		{"a name that begins like this machine's", func(c *Config) {
			c.Addr, c.TLS = []string{"localhost.example:9000"},
				"off"
		}, []string{"not encrypted"}},
		{"the second of two", func(c *Config) { c.Addr, c.TLS = []string{"127.0.0.1:9000", "10.0.0.1:9000"}, "off" },
			[]string{"10.0.0.1:9000", "not encrypted"}},
		{"TLS off across the network", func(c *Config) { c.Addr, c.TLS = []string{"ch1:9000"}, "off" },
			[]string{"not encrypted"}},
		{"two protocols", func(c *Config) { c.Addr = []string{"https://a:1", "b:2"} }, []string{"one kind"}},
		{"TLS", func(c *Config) { c.TLS = "maybe" }, []string{"store.tls", "on or off"}},
		{"database", func(c *Config) { c.Database = "a b" }, []string{"store.database"}},
		{"retention", func(c *Config) { c.Retention = -time.Hour }, []string{"store.retention"}},
		{"retention below the hour", func(c *Config) { c.Retention = 90 * time.Minute },
			[]string{"store.retention", "whole hours"}},
		{"listen beyond this machine", func(c *Config) { c.Listen = ":8123" }, []string{"store.listen", "loopback"}},
		{"memory", func(c *Config) { c.Memory = 1 }, []string{"store.memory"}},
		{"cluster without servers", func(c *Config) { c.Cluster = "c" }, []string{"store.cluster"}},
		{"several at once", func(c *Config) { c.TLS, c.Memory = "", 1 }, []string{"store.tls", "store.memory"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig()
			tt.change(&c)
			err := c.Validate()
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
			}
		})
	}
}

func TestPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	tests := []struct{ name, text, want string }{
		{"line end is no part", "geheim\n", "geheim"},
		{"spaces are", " a b ", " a b "},
		{"empty is refused", "\n", ""},
	}
	for _, tt := range tests {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Config{PasswordFile: path}.password(os.ReadFile)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
	if got, err := (Config{Password: "given"}).password(os.ReadFile); got != "given" || err != nil {
		t.Errorf("the environment's password is %q (%v)", got, err)
	}
	if _, err := (Config{PasswordFile: path + "x"}).password(os.ReadFile); err == nil {
		t.Error("a missing file is accepted")
	}
}

func TestInsertSettingsFitTheServersVersion(t *testing.T) {
	tests := []struct {
		major, minor uint64
		has, lacks   string
	}{
		{24, 8, "insert_deduplicate", "deduplicate_insert"},
		{26, 1, "insert_deduplicate", "deduplicate_insert"},
		{26, 2, "deduplicate_insert", "insert_deduplicate"},
		{27, 1, "deduplicate_insert", "insert_deduplicate"},
	}
	for _, tt := range tests {
		set := insertSettings(tt.major, tt.minor)
		if _, ok := set[tt.has]; !ok {
			t.Errorf("%d.%d lacks %s", tt.major, tt.minor, tt.has)
		}
		if _, ok := set[tt.lacks]; ok {
			t.Errorf("%d.%d has %s", tt.major, tt.minor, tt.lacks)
		}
		if set["async_insert"] != 0 {
			t.Errorf("%d.%d inserts asynchronously", tt.major, tt.minor)
		}
	}
}

func TestTheLifeInADefinition(t *testing.T) {
	const table = "CREATE TABLE s.t (`TTL` DateTime) ENGINE = MergeTree ORDER BY a%s SETTINGS x = 1"
	for _, tt := range []struct {
		name, ttl string
		want      time.Duration
		wrong     bool
	}{
		{"in days", " TTL toDateTime(a) + toIntervalDay(400)", 400 * 24 * time.Hour, false},
		{"in hours", " TTL toDateTime(a) + toIntervalHour(36)", 36 * time.Hour, false},
		{"none", "", 0, false},
		{"on a line of its own", "\nTTL toDateTime(a) + toIntervalHour(1)", time.Hour, false},
		{"somebody else's", " TTL a + toIntervalWeek(1)", 0, true},
	} {
		got, err := lifeIn(fmt.Sprintf(table, tt.ttl))
		if got != tt.want || (err != nil) != tt.wrong {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}

func TestCatalogIsReadStrictly(t *testing.T) {
	const head = "topic_type,topic_name,state_id,state_name\n"
	rows, err := parseCatalog([]byte(head + "100,A,,\n200,B,0,\"x, y\"\n"))
	if err != nil || len(rows) != 2 || rows[0].hasState || !rows[1].hasState || rows[1].stateName != "x, y" {
		t.Errorf("read %+v, %v", rows, err)
	}
	for _, bad := range []string{"", "a,b,c,d\n", head + "x,A,1,B\n", head + "1,A,-1,B\n", head + "1,A\n",
		head + "4294967296,A,1,B\n"} {
		if _, err := parseCatalog([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
