package parse_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"statewire/internal/parse"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"900s": 900 * time.Second, "15m": 15 * time.Minute, " 72h ": 72 * time.Hour, "400d": 400 * 24 * time.Hour,
		"1.5d": 36 * time.Hour, "0": 0, "-1h": -time.Hour,
		"36500d": 36500 * 24 * time.Hour,
	} {
		if got, err := parse.Duration(text); err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "900", "often", "15 m", "15mm", "nand", "infd", "0x10d", "1_0d", "36501d", "d",
		"15m x"} {
		if got, err := parse.Duration(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"64MiB": 64 << 20, "0.5KiB": 512, "2 GiB": 2 << 30, "1TiB": 1 << 40,
		"1000": 1000, "-1": -1, "1048576KiB": 1 << 30} {
		if got, err := parse.Size(text); err != nil || got != want {
			t.Errorf("%q is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "much", "64MB", "nanMiB", "infMiB", "-1MiB", "0x4MiB", "1.5", "1e6", "1048577KiB",
		"MiB", "9223372036854775808"} {
		if got, err := parse.Size(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "-1.5": -1.5, "1e6": 1e6, ".5": .5, "5.": 5} {
		if got, err := parse.Float(text); err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "nan", "NaN", "inf", "-Infinity", "0x1p4", "1_000", "1e999", "1 ", "1,5"} {
		if got, err := parse.Float(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if n, err := parse.Int(" 12 "); err != nil || n != 12 {
		t.Errorf("12 is %d (%v)", n, err)
	}
	for _, text := range []string{"", "1.5", "0x4", "1_0", "four", "12x"} {
		if _, err := parse.Int(text); err == nil {
			t.Errorf("%q is read as a whole number", text)
		}
	}
}

func TestTimes(t *testing.T) {
	want := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	for _, text := range []string{"2026-01-31T08:00:00Z", "2026-01-31T09:00:00+01:00", "2026-01-31 08:00:00",
		"2026-01-31T08:00:00", "2026-01-31 08:00", " 2026-01-31T08:00 ", "2026-01-31 08:00:00.000"} {
		if got, err := parse.Time(text); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "2026-02-30", "2026-01-31T25:00:00Z", "31.01.2026", "1769846400",
		"2026-01-31T08:00:00Zx"} {
		if got, err := parse.Time(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestClients(t *testing.T) {
	const id = "9c0f8d1e-3b44-4e71-8f5a-0d2b6a7c1e33"
	upper := strings.ToUpper(id)
	for _, text := range []string{id, upper, "GUID:" + upper, "guid:" + id, "{" + upper + "}", "GUID:{" + id + "}",
		"{GUID:" + id + "}", "  GUID:" + id + "\t", id + " \r\n"} {
		if got, name, err := parse.Client(text); err != nil || name != "" || got.String() != id {
			t.Errorf("%q is %v %q (%v)", text, got, name, err)
		}
	}
	for text, want := range map[string]string{
		"PC-01": "PC-01", " PC-01 \t": "PC-01", "a/b": "a/b", "..": "..", "q?z#w": "q?z#w", "%2e%2e": "%2e%2e",
		`C:\x`: `C:\x`, "null": "null", "o'brien": "o'brien",
		"MY PC": "MY PC", "{": "{", "{}": "{}", "ÄÖÜ": "ÄÖÜ",
	} {
		if _, name, err := parse.Client(text); err != nil || name != want {
			t.Errorf("%q is the name %q (%v), want %q", text, name, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "names no client", " \t ": "names no client", "a\nb": "names no client", "a\x00": "names no client",
		"\xff\ufffd":      "names no client",
		"GUID:" + id[:35]: "looks like a client id", id[:35]: "looks like a client id", id[:35] +
			"g": "looks like a client id", "{" + id[1:] + "}": "looks like a client id",
		"GUID:": "looks like a client id", "guid:PC": "looks like a client id", strings.Repeat("x", 5000): "too long",
	} {
		if got, name, err := parse.Client(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.50q is %v %.50q (%v), want %q", text, got, name, err, want)
		}
	}
}

func TestQueries(t *testing.T) {
	got, err := parse.Query("a=1&b=50%25&a=2&c&&d=x+y&%C3%A4=%3B")
	if err != nil || got.Encode() != "a=1&a=2&b=50%25&c=&d=x+y&%C3%A4=%3B" {
		t.Errorf("%v (%v)", got, err)
	}
	for raw, want := range map[string]string{
		"a=1&name=50%": `parameter "name" has a bad escape in "50%"`, "name=%zz": `"%zz"`,
		"name=B;ETA": "holds a semicolon; write it as %3B",
		"a;b":        `parameter "a;b" holds a semicolon`, "%=1": `parameter "%" has a bad escape`,
		"n=%ff": `parameter "n" is not UTF-8 text`,
	} {
		if got, err := parse.Query(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v (%v), want %q", raw, got, err, want)
		}
	}
}

func TestQueriesOfKnownParameters(t *testing.T) {
	for raw, want := range map[string]string{
		"topic=1&serial=2": "", "": "", "topik=1": `parameter "topik" is unknown; did you mean topic?`,
		"x=1":             `parameter "x" is unknown; allowed are topic, serial`,
		"topic=1&topic=1": `parameter "topic" is given more than once`,
	} {
		query, err := parse.Query(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err = parse.Known(query, "topic", "serial"); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: %v, want %q", raw, err, want)
		}
	}
	if err := parse.Known(map[string][]string{"x": {"1"}}); err == nil ||
		err.Error() != `parameter "x" is unknown; none is allowed here` {
		t.Error(err)
	}
}

func TestAddressesOfServers(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://mp": true, "https://mp.example:8443": true, "https://[::1]:1/": true, "https://mp/": true,
		"https://mp/statewire": false, "https://mp:0": false,
		"https://mp:65535": true, "https://mp:65536": false, "https://u@mp": false, "https://mp?x=1": false,
		"https://mp?": false, "https://mp#a": false,
		"http://mp": false, "mp:1": false, "": false, "https://": false, "https://:1": false, "https://a b": false,
	} {
		if _, err := parse.Base(text, "https"); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := parse.URL("https://mp:8443/statewire", "https"); err != nil {
		t.Error(err)
	}
	for host, ok := range map[string]bool{"a.example": true, "127.0.0.1": true, "::1": true, "a:1": false, "": false,
		"https://a": false, "a b": false} {
		if err := parse.HostName(host); (err == nil) != ok {
			t.Errorf("%q: %v", host, err)
		}
	}
	for host, ok := range map[string]bool{"localhost": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "0.0.0.0": false, "10.0.0.1": false, "localhost.evil.example": false} {
		if parse.Loopback(host) != ok {
			t.Errorf("%q is loopback: %v", host, !ok)
		}
	}
}

func TestNearestWords(t *testing.T) {
	known := []string{"relay.listen", "relay.client_rate", "store.memory", "name"}
	for word, want := range map[string]string{
		"relay.listn": "relay.listen", "relay.lsiten": "relay.listen", "relay_listen": "relay.listen",
		"store.memroy": "store.memory", "nmae": "name",
		"weather": "", "": "", "x": "", "na": "", "relay.speed": "",
	} {
		if got := parse.Nearest(word, known); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

// A secret is shown nowhere, and an address in a message has no password.
func TestSecretsAreNotShown(t *testing.T) {
	s := parse.Secret("hunter2")
	text, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s)
	for _, shown := range []string{string(text), log.String(),
		fmt.Sprintf("%v %s %q %#v %+v", s, s, s, s, struct{ S parse.Secret }{s})} {
		if strings.Contains(shown, "hunter") || !strings.Contains(shown, "(set)") {
			t.Error(shown)
		}
	}
	if s.Reveal() != "hunter2" || fmt.Sprint(parse.Secret("")) != "" {
		t.Error("the secret is lost, or there seems to be one")
	}
	for text, want := range map[string]string{"https://a:b@host:1": "https://…@host:1", "a:b@host:1": "…@host:1",
		"host:1":       "host:1",
		"https://host": "https://host", "https://a:b@c@host": "https://…@host", "a://b@c://d": "a://…@c://d"} {
		if got := parse.WithoutUser(text); got != want {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}
