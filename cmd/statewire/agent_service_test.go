package main

import (
	"encoding/xml"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What launchd and Windows are told to start is arguments that the program knows.
func TestServicesStartTheAgent(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "agent.md"))
	if err != nil {
		t.Fatal(err)
	}
	windows := regexp.MustCompile(`binPath= "\\"C:\\Program Files\\statewire\\statewire\.exe\\" ([^"]+)"`).FindSubmatch(
		guide)
	if windows == nil {
		t.Fatal("the guide does not tell Windows what to start")
	}
	launchd := plistStrings(t, filepath.Join("..", "..", "configs", "statewire-agent.plist"), "ProgramArguments")
	if len(launchd) == 0 || launchd[0] != "/usr/local/bin/statewire" {
		t.Fatalf("launchd starts %q", launchd)
	}
	for name, args := range map[string][]string{"windows": strings.Fields(string(windows[1])), "launchd": launchd[1:]} {
		out, err := exec.Command(program(t), append(args, "--help")...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "this machine's client") {
			t.Errorf("%s: %q give %v: %s", name, args, err, out)
		}
	}
}

// plistStrings is the strings of a property list's array, or nothing when the key has another value. The list must be
// sound XML.
func plistStrings(t *testing.T, path, key string) (values []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var element, last string // the element that is open; the key that was read last
	d := xml.NewDecoder(f)
	for {
		token, err := d.Token()
		if err == io.EOF {
			return values
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			element = token.Name.Local
		case xml.EndElement:
			element = ""
		case xml.CharData:
			switch {
			case element == "key":
				last = string(token)
			case element == "string" && last == key:
				values = append(values, string(token))
			}
		}
	}
}
