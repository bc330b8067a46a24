package configs_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
)

// Every test that docs/proofs.md names is there, in the package that its row of promises names.
func TestTheProofsAreWhereTheDocumentationSays(t *testing.T) {
	text, err := os.ReadFile("../docs/proofs.md")
	if err != nil {
		t.Fatal(err)
	}
	folders, named := testFolders(t), 0
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, "|")
		folder := ""
		if len(cells) == 5 { // promise, proof, package
			folder = strings.TrimSpace(cells[3])
		}
		for _, m := range testName.FindAllStringSubmatch(line, -1) {
			named++
			switch in := folders[m[1]]; {
			case len(in) == 0:
				t.Errorf("docs/proofs.md names %s, which is nowhere", m[1])
			case folder != "" && !strings.Contains(folder, " ") && !strings.Contains(folder, "`") && !slices.Contains(in, folder):
				t.Errorf("docs/proofs.md has %s in %s, it is in %v", m[1], folder, in)
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d tests are named: the page is read wrongly", named)
	}
}

// testFolders maps every test of the project to the folders that have one of the name.
func testFolders(t *testing.T) map[string][]string {
	t.Helper()
	folders := map[string][]string{}
	err := fs.WalkDir(os.DirFS(".."), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			if err == nil && entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git") {
				return fs.SkipDir
			}
			return err
		}
		text, err := fs.ReadFile(os.DirFS(".."), file)
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			folders[m[1]] = append(folders[m[1]], path.Dir(file))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}
