package packages

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// debian is a Debian machine in a folder: apt and dpkg of this system with a root, a package database and a repository
// of its own.
type debian struct {
	t    *testing.T
	root string
}

// newDebian points the package tools of this process at an empty machine of its own.
func newDebian(t *testing.T) *debian {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs apt and root")
		}
		t.Skip("needs apt and root: dpkg installs as root only")
	}
	m := &debian{t: t, root: t.TempDir()}
	for _, dir := range []string{"repo", "root", "dpkg/updates", "dpkg/info", "state/lists/partial",
		"cache/archives/partial",
		"etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "etc/sources.list.d", "log"} {
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.write("dpkg/status", "")
	m.write("dpkg/available", "")
	m.write("dpkg/arch", "amd64\ni386\n")
	m.write("etc/sources.list", "deb [trusted=yes] file:"+m.root+"/repo ./\n")
	m.write("apt.conf", strings.NewReplacer("ROOT", m.root).Replace(`Dir "ROOT/";
Dir::State "ROOT/state";
Dir::State::status "ROOT/dpkg/status";
Dir::Cache "ROOT/cache";
Dir::Etc "ROOT/etc";
Dir::Log "ROOT/log";
Dir::Bin::dpkg "/usr/bin/dpkg";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "i386"; };
APT::Sandbox::User "";
Acquire::Languages "none";
DPkg::Options { "--admindir=ROOT/dpkg"; "--instdir=ROOT/root"; "--force-script-chrootless"; "--log=ROOT/log/dpkg.log"; };
`))
	t.Setenv("APT_CONFIG", filepath.Join(m.root, "apt.conf"))
	t.Setenv("DPKG_ADMINDIR", filepath.Join(m.root, "dpkg"))
	return m
}

func (m *debian) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.root, name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *debian) run(name string, args ...string) string {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("%s %q: %v\n%s%s", name, args, err, out, errs.String())
	}
	return string(out)
}

// deb is a package of one version: NAME VERSION ARCH, with further lines of its control file.
type deb struct{ name, version, arch, more string }

// publish makes the repository hold exactly these packages, and brings the machine's lists up to date.
func (m *debian) publish(debs ...deb) {
	m.t.Helper()
	old, _ := filepath.Glob(filepath.Join(m.root, "repo", "*"))
	for _, path := range old {
		os.Remove(path)
	}
	var index strings.Builder
	for _, d := range debs {
		control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: nobody "+
			"<nobody@example.org>\nDescription: a test\n%s",
			d.name, d.version, d.arch, d.more)
		data, name := m.build(d, control)
		fmt.Fprintf(&index, "%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, name, len(data), sha256.Sum256(data))
	}
	m.write("repo/Packages", index.String())
	m.run("apt-get", "-q", "update")
}

func (m *debian) build(d deb, control string) (data []byte, name string) {
	m.t.Helper()
	dir, err := os.MkdirTemp(m.root, "build-")
	if err != nil {
		m.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name = fmt.Sprintf("%s_%s_%s.deb", d.name, strings.ReplaceAll(d.version, ":", "%3a"), d.arch)
	path := filepath.Join(m.root, "repo", name)
	if err := os.Mkdir(filepath.Join(dir, "DEBIAN"), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "DEBIAN", "control"), []byte(control), 0o644); err != nil {
		m.t.Fatal(err)
	}
	m.run("dpkg-deb", "--root-owner-group", "-Znone", "-b", dir, path)
	if data, err = os.ReadFile(path); err != nil {
		m.t.Fatal(err)
	}
	return data, name
}

var upgradable = regexp.MustCompile(`^([^/]+)/\S+ (\S+) (\S+) \[upgradable from: (\S+)\]$`)

// upgradable is what `apt list --upgradable` shows to a person, in the names of this package.
func (m *debian) upgradable() []string {
	m.t.Helper()
	var all []string
	for line := range strings.Lines(m.run("apt", "-qq", "list", "--upgradable")) {
		f := upgradable.FindStringSubmatch(strings.TrimSpace(line))
		if f == nil {
			m.t.Fatalf("apt list says %q", line)
		}
		name := f[1]
		if f[3] == "i386" {
			name += ":i386"
		}
		all = append(all, name+"="+f[2]+" from "+f[4])
	}
	slices.Sort(all)
	return all
}
