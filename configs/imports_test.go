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

// allowed is who may import whom, by folder. A folder that is not here may import nothing of the project but the leaves
// below internal/, which import nothing of it themselves.
var allowed = map[string][]string{
	"cmd/statewire": {"cmd/statewire/cli", "cmd/statewire/client", "cmd/statewire/simulate", "site", "fleet",
		"agent/cache", "reports", "reports/explain", "reports/names", "reports/summary", "configs", "inbox", "ingest", "resync",
		"resync/gaps", "collections", "policies", "smx", "smx/policy", "store", "identity", "trust", "audit",
		"notifier/manager", "notifier/wire", "packs"},
	"cmd/statewire/cli": {"configs", "trust"},
	"cmd/statewire/client": {"cmd/statewire/cli", "agent", "agent/cache", "agent/channel", "agent/credentials",
		"agent/transport", "agent/local", "agent/packages", "agent/runner", "packs", "reports/explain", "configs", "smx",
		"trust"},
	"cmd/statewire/simulate": {"cmd/statewire/cli", "cmd/statewire/client", "site", "fleet", "configs", "relay", "inbox",
		"collections", "reports/names", "smx", "agent"},

	"site": {"configs", "relay", "inbox", "ingest", "store", "resync", "resync/gaps", "collections", "policies",
		"reports", "reports/explain", "reports/names", "reports/summary", "console", "console/web", "identity", "trust", "audit", "smx",
		"smx/policy", "notifier", "notifier/manager", "notifier/wire", "packs"},
	"configs": {"relay", "identity", "ingest", "store", "resync", "collections", "reports", "notifier",
		"notifier/manager", "agent"},

	"inbox":       {"inbox/disk"},
	"relay":       {"inbox", "smx", "smx/policy", "identity"},
	"ingest":      {"inbox", "smx", "store"},
	"store":       {"store/embedded"},
	"collections": {"store", "smx", "audit"},
	"policies":    {"collections", "store", "smx", "smx/policy"},
	"resync/gaps": {"store", "smx"},
	// It says its requests as a policy does.
	"resync":           {"resync/gaps", "collections", "policies", "store", "smx", "smx/policy"},
	"notifier":         {"notifier/wire", "inbox", "identity"},
	"notifier/manager": {"notifier/wire", "collections", "packs", "trust", "inbox", "store", "identity", "audit"},
	"packs":            {"smx", "trust"},

	"reports":         {"store"},
	"reports/explain": {"reports", "reports/names", "smx"},
	"reports/names":   {"store"},
	"reports/summary": {"reports", "reports/names", "collections", "store"},
	"console": {"console/web", "audit", "reports", "reports/explain", "reports/names", "store", "collections", "policies",
		"identity"},

	"identity": {"audit", "trust", "collections"},

	"agent/cache":     {"smx", "smx/policy"},
	"agent/transport": {"smx", "smx/policy", "trust"},
	// What proves who a client is: it asks for it over the way to a relay.
	"agent/credentials": {"agent/cache", "agent/transport", "smx", "trust"},
	"agent":             {"agent/cache", "agent/transport", "smx", "smx/policy", "trust"},
	"agent/agenttest":   {"agent/transport", "smx", "smx/policy", "trust"},
	"agent/local": {"agent", "agent/cache", "agent/channel", "agent/credentials", "agent/transport", "agent/runner",
		"packs", "smx", "trust"},
	"agent/packages": {"agent", "agent/cache", "smx"},
	"agent/channel":  {"agent", "agent/transport", "notifier/wire", "smx", "trust"},
	"agent/runner":   {"agent", "agent/cache", "agent/runner/process", "notifier/wire", "packs", "smx", "trust"},
	"fleet": {"agent", "agent/cache", "agent/channel", "agent/credentials", "agent/transport", "agent/local",
		"agent/packages", "agent/runner", "packs", "smx", "smx/policy", "trust"},

	"smx/policy":      {"smx"},
	"smx/reference":   {"smx"},
	"store/storetest": {"store", "store/embedded", "configs"},

	"reports/reportstest": {"configs", "reports", "reports/explain", "store", "store/storetest"},
}

// testOnly are packages that only tests may import.
var testOnly = []string{"fixtures", "agent/agenttest", "store/storetest", "reports/reportstest", "smx/reference"}

func TestAPackageImportsOnlyWhatTheDrawingAllows(t *testing.T) {
	for file, imports := range projectImports(t) {
		folder := path.Dir(file)
		for _, imported := range imports {
			if strings.HasSuffix(file, "_test.go") {
				continue // tests may use fixtures, storetest, and the package above them
			}
			if slices.Contains(testOnly, imported) && !slices.Contains(testOnly, folder) {
				t.Errorf("%s imports %s, which is for tests only", file, imported)
			}
			leaf := strings.HasPrefix(folder, "internal/")
			if strings.HasPrefix(imported, "internal/") && !leaf {
				continue
			}
			if may := allowed[folder]; !slices.Contains(may, imported) {
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
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", filepath.FromSlash(file)), nil,
			parser.PackageClauseOnly|parser.ParseComments)
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
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", filepath.FromSlash(file)), nil,
			parser.ImportsOnly)
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
