package configs_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed is who may import whom, by folder; a folder that is not here may import nothing of the project.
var allowed = map[string][]string{
	"cmd/statewire":   {"*"},
	"configs":         {"relay", "ingest", "store", "resync", "reports", "notifier", "agent"},
	"relay":           {"inbox", "smx", "identity", "audit"},
	"ingest":          {"inbox", "smx", "store"},
	"resync":          {"smx", "store"},
	"reports":         {"reports/web", "store", "identity", "audit"},
	"reports/summary": {"store"},
	"notifier":        {"notifier/wire", "inbox", "store", "identity", "audit"},
	"agent":           {"smx", "notifier/wire"},
	"store":           {"store/embedded"},
	"store/storetest": {"store", "store/embedded", "configs"},
}

// testOnly are packages that only tests may import.
var testOnly = []string{"fixtures", "store/storetest"}

func TestAPackageImportsOnlyWhatTheDrawingAllows(t *testing.T) {
	for file, imports := range projectImports(t) {
		folder := path.Dir(file)
		for _, imported := range imports {
			if strings.HasSuffix(file, "_test.go") {
				continue // tests may use fixtures, storetest, and the package above them
			}
			if slices.Contains(testOnly, imported) {
				t.Errorf("%s imports %s, which is for tests only", file, imported)
			}
			if strings.HasPrefix(imported, "internal/") {
				continue // leaves that know nothing of a site
			}
			if may := allowed[folder]; !slices.Contains(may, imported) && !slices.Contains(may, "*") {
				t.Errorf("%s imports %s; %s may import %v", file, imported, folder, may)
			}
		}
	}
}

func TestEveryPackageHasItsComment(t *testing.T) {
	documented := map[string]bool{}
	for file := range projectImports(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", filepath.FromSlash(file)), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		documented[path.Dir(file)] = documented[path.Dir(file)] || parsed.Doc.Text() != ""
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", folder)
		}
	}
}

// projectImports maps every Go file of the project to the project's packages it imports.
func projectImports(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := fs.WalkDir(os.DirFS(".."), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || file != "." && strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if entry.IsDir() || path.Ext(file) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", filepath.FromSlash(file)), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files[file] = nil
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if inside, ok := strings.CutPrefix(imported, "statewire/"); ok {
				files[file] = append(files[file], inside)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found only %d Go files: the walk is broken", len(files))
	}
	return files
}
