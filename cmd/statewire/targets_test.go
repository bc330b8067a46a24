package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"statewire/cmd/statewire/cli"
	"statewire/smx"
)

// utf16LE is the text as some editors and shells write it, with a byte order mark.
func utf16LE(text string) (out []byte) {
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return out
}

func TestListsOfClients(t *testing.T) {
	t.Parallel()
	id := clientID(1).String()
	lines := "client_id\r\n" + id + "\r\n\r\n# nobody\r\n PC-01 # the first\r\n" + strings.ToLower(id[5:]) + "\r\n"
	path := filepath.Join(t.TempDir(), "list")
	for _, tc := range []struct {
		name string
		file []byte
		want []string
		says string
	}{
		{"ids and names, comments and empty lines", []byte(lines), []string{id, "PC-01", strings.ToLower(id[5:])}, ""},
		{"with a byte order mark", []byte("\ufeff" + lines), []string{id, "PC-01", strings.ToLower(id[5:])}, ""},
		{"in UTF-16", utf16LE(lines), []string{id, "PC-01", strings.ToLower(id[5:])}, ""},
		{"a slip in an id is no name", []byte("PC1\n" + id[:len(id)-1] + "g\n"), nil, "line 2"},
		{"nor is one in a bare id", []byte(id[5:len(id)-1] + "\n"), nil, "line 1"},
		{"a name with a blank inside", []byte("PC 1 \n"), []string{"PC 1"}, ""},
		{"an id in braces", []byte("{" + id[5:] + "}\n"), []string{"{" + id[5:] + "}"}, ""},
		{"a slip in an id in braces", []byte("PC1\n{" + id[5:len(id)-1] + "}\n"), nil, "line 2"},
		{"a line without end", []byte("PC1\n" + strings.Repeat("x", 100_000)), nil, "line 2: too long"},
		{"nobody", []byte("# PC1\n\n"), nil, "names no client"},
		{"no text", make([]byte, 100), nil, "line 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := os.WriteFile(path, tc.file, 0o600); err != nil {
				t.Fatal(err)
			}
			list, err := (&targetFlags{file: path}).list((&globals{}).OpenFile)
			var got []string
			for _, m := range list {
				got = append(got, m.text)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("read %q, want %q", got, tc.want)
			}
			if tc.says != "" && (!errors.As(err, new(cli.UsageError)) || !strings.Contains(err.Error(), tc.says)) ||
				tc.says == "" && err != nil {
				t.Errorf("said %v, want %q", err, tc.says)
			}
		})
	}
}

// A computer's name names its client as well as an id does, unless several have it.
func TestClientsByComputerName(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	loadGaps(t, data)
	twin, _ := report(3, smx.NoPriority, 1, 1)
	twin.Header.NetBIOSName = "e2e-2"
	path := filepath.Join(t.TempDir(), "twin.SMX")
	if err := os.WriteFile(path, smx.AppendReport(nil, twin), 0o600); err != nil {
		t.Fatal(err)
	}
	done(t, data, "load", "--create", path)

	done(t, data, "collection", "create", "named", "--client", "e2e-0", "--client", clientID(1).UUID(), "--client",
		" E2E-0\t", "--client", "{"+clientID(1).UUID()+"} ")
	if got := done(t, data, "--format", "csv", "collection", "show", "named"); got != fmt.Sprintf("client_id\n%s\n%s\n",
		clientID(0).UUID(), clientID(1).UUID()) {
		t.Errorf("the collection has %q", got)
	}
	done(t, data, "resync", "request", "--client", "E2E-0")
	if list := done(t, data, "--format", "csv", "resync", "list", "--client", "e2e-0"); strings.Count(list, "\n") != 2 ||
		!strings.Contains(list, clientID(0).UUID()) {
		t.Errorf("the list of its resyncs is %q", list)
	}
	for name, says := range map[string]string{
		"E2E-2": "2 clients are called E2E-2; name one by its id: GUID:",
		"E2E":   `--client "E2E": no client has this name`,
	} {
		if r := command(t, data, "resync", "accept", "--client", "E2E-1", "--client", name); r.code != cli.ExitFailed ||
			!strings.Contains(r.errOut, says) || strings.Count(r.errOut, "\n") != 1 {
			t.Errorf("%s: ended with %d and said %q, want %q", name, r.code, r.errOut, says)
		}
	}
	if n := ask(t, data, "SELECT count() FROM baselines"); n != 0 {
		t.Errorf("%v baselines were accepted though one of the names was wrong", n)
	}
}

func TestNumbersOfMessages(t *testing.T) {
	for n, want := range map[whole][2]string{
		0: {"0", "0"}, 9: {"9", "9"}, 1<<53 - 1: {"9007199254740991", "9007199254740991"}, 1 << 53: {"9007199254740992",
			"9007199254740992"},
		1<<62 + 5: {"4611686018427388000", "about 4.6 quintillion"}, 1e16: {"10000000000000000", "about 10.0 quadrillion"},
		3e30: {"3000000000000000000000000000000", "about 3000000.0 septillion"},
	} {
		if n.String() != want[0] || n.words() != want[1] {
			t.Errorf("%v is written as %s and %s, want %v", float64(n), n, n.words(), want)
		}
	}
}
