package configs_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"statewire/configs"
)

// Of the usual files the first that exists is read, and no other: the one of the folder beats that of the system. A
// named file beats both.
func TestTheLocalFileBeatsTheSystems(t *testing.T) {
	const local = "configs/statewire.yaml"
	files := map[string]int{local: 2, configs.SystemFile: 3, "named.yaml": 4}
	for _, tc := range []struct {
		name, file string
		exist      []string
		threads    int
		read       []string
	}{
		{"both are there", "", []string{local, configs.SystemFile}, 2, []string{local}},
		{"only the system's", "", []string{configs.SystemFile}, 3, []string{local, configs.SystemFile}},
		{"neither", "", nil, configs.Default().Ingest.LoaderThreads, []string{local, configs.SystemFile}},
		{"one is named", "named.yaml", []string{local, configs.SystemFile, "named.yaml"}, 4, []string{"named.yaml"}},
	} {
		var read []string
		cfg, values, err := configs.Load(configs.Source{File: tc.file, Read: func(path string) ([]byte, error) {
			read = append(read, path)
			if !slices.Contains(tc.exist, path) {
				return nil, fs.ErrNotExist
			}
			return fmt.Appendf(nil, "ingest: {loader_threads: %d}\n", files[path]), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Ingest.LoaderThreads != tc.threads || !slices.Equal(read, tc.read) {
			t.Errorf("%s: %d threads, read %v; want %d, %v", tc.name, cfg.Ingest.LoaderThreads, read, tc.threads, tc.read)
		}
		origin := values[slices.IndexFunc(values,
			func(v configs.Value) bool { return v.Key == "ingest.loader_threads" })].Origin
		if want := "default"; len(tc.exist) > 0 {
			want = "file " + tc.read[len(tc.read)-1]
			if origin != want {
				t.Errorf("%s: the origin is %s, want %s", tc.name, origin, want)
			}
		} else if origin != want {
			t.Errorf("%s: the origin is %s, want %s", tc.name, origin, want)
		}
	}
}

// A file that is there and cannot be read is no file that is missing: the next one does not stand in.
func TestAnUnreadableLocalFileIsAnError(t *testing.T) {
	_, _, err := configs.Load(configs.Source{Read: func(string) ([]byte, error) { return nil, fs.ErrPermission }})
	if err == nil || !strings.Contains(err.Error(), "read the configuration file") {
		t.Errorf("%v", err)
	}
}

// A duration is shown without zero parts, and in days from fifteen of them on.
func TestDurationsAreShownAsPeopleWriteThem(t *testing.T) {
	for given, want := range map[string]string{
		"24h": "24h", "336h": "336h", "14d": "336h", "360h": "15d", "361h": "361h", "400d": "400d", "90m": "1h30m",
		"3600s": "1h", "900s": "15m", "61s": "1m1s", "36h30m": "36h30m",
	} {
		key := map[bool]string{true: "store.retention", false: "agent.send_interval"}[strings.HasSuffix(given, "d") ||
			len(given) == 4 && given[3] == 'h']
		_, values, err := configs.Load(configs.Source{Read: func(string) ([]byte, error) { return nil, fs.ErrNotExist },
			Flags: map[string]string{key: given}, Sections: []string{}})
		if err != nil {
			t.Fatal(err)
		}
		if got := values[slices.IndexFunc(values, func(v configs.Value) bool { return v.Key == key })].Value; got != want {
			t.Errorf("%s of %s is shown as %s, want %s", key, given, got, want)
		}
	}
}
