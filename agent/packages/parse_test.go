package packages

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Lines as the package tools of several releases write them.
const (
	policyOrdinary = `libcurl4:
  Installed: 7.88.1-10+deb12u14
  Candidate: 7.88.1-10+deb12u15
  Version table:
     7.88.1-10+deb12u15 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
 *** 7.88.1-10+deb12u14 100
        100 /var/lib/dpkg/status
     7.88.1-10+deb12u5 500
        500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages
`
	policyTwoSources = `libcurl4:
  Installed: 7.88.1-10+deb12u14
  Candidate: 7.88.1-10+deb12u15
  Version table:
     7.88.1-10+deb12u15 500
        500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
 *** 7.88.1-10+deb12u14 100
        100 /var/lib/dpkg/status
`
	policyForeign = `zlib1g:i386:
  Installed: 1:1.2.13.dfsg-1
  Candidate: 1:1.3.dfsg-3
  Version table:
     1:1.3.dfsg-3 500
        500 http://deb.debian.org/debian bookworm/main i386 Packages
 *** 1:1.2.13.dfsg-1 100
        100 /var/lib/dpkg/status
`
	policyRebuilt = `same:
  Installed: 1.0
  Candidate: 1.0
  Version table:
     1.0 500
        500 file:/srv/repo ./ Packages
 *** 1.0 100
        100 /var/lib/dpkg/status
`
	policyPinned = `nginx:
  Installed: 1.22.1-9
  Candidate: 1.26.2-1~bookworm
  Package pin: 1.26.2-1~bookworm
  Version table:
     1.26.2-1~bookworm 1001
       1001 https://nginx.org/packages/debian bookworm/nginx amd64 Packages
 *** 1.22.1-9 1001
        100 /var/lib/dpkg/status
`
	policyPhased = `ubuntu-pro-client:
  Installed: 31.1~22.04
  Candidate: 34~22.04
  Version table:
     34~22.04 500 (phased 10%)
        500 http://archive.ubuntu.com/ubuntu jammy-updates/main amd64 Packages
 *** 31.1~22.04 100
        100 /var/lib/dpkg/status
`
)

func TestPolicyIsRead(t *testing.T) {
	curl := upgrade{"libcurl4", "7.88.1-10+deb12u14", "7.88.1-10+deb12u15", "bookworm/main"}
	zlib := upgrade{"zlib1g:i386", "1:1.2.13.dfsg-1", "1:1.3.dfsg-3", "bookworm/main"}
	for _, tt := range []struct {
		name, said string
		want       []upgrade
	}{
		{"nothing can be upgraded", "", nil},
		{"the source of the candidate is its origin, not that of another version", policyOrdinary, []upgrade{curl}},
		{"of two sources of the candidate the first is its origin", policyTwoSources,
			[]upgrade{{curl.name, curl.installed, curl.candidate, "bookworm-security/main"}}},
		{"a foreign architecture belongs to the name", policyForeign, []upgrade{zlib}},
		{"packages are sorted by name", policyForeign + policyOrdinary, []upgrade{curl, zlib}},
		{"a rebuilt package keeps its version", policyRebuilt, []upgrade{{"same", "1.0", "1.0", "./"}}},
		{"pins and priorities above 999", policyPinned, []upgrade{{"nginx", "1.22.1-9", "1.26.2-1~bookworm",
			"bookworm/nginx"}}},
		{"updates that are phased in", policyPhased, []upgrade{{"ubuntu-pro-client", "31.1~22.04", "34~22.04",
			"jammy-updates/main"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePolicy([]byte(tt.said))
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestPolicyOfAnotherShapeIsRefused(t *testing.T) {
	for _, tt := range []struct{ name, said, want string }{
		{"sources instead of packages", "Package files:\n 100 /var/lib/dpkg/status\n", "line 1"},
		{"another language", "libcurl4:\n  Installiert: 7.88\n  Installationskandidat: 7.89\n", "package libcurl4"},
		{"not installed", "libcurl4:\n  Installed: (none)\n  Candidate: 7.89\n", "package libcurl4"},
		{"cut off", "libcurl4:\n  Installed: 7.88\n", "package libcurl4"},
		{"no package above", "  Installed: 7.88\n", "before the first package"},
		{"an option for a name", "--help:\n  Installed: 1\n  Candidate: 2\n", "line 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePolicy([]byte(tt.said))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v; want an error with %q", got, err, tt.want)
			}
		})
	}
}

func TestInstalledPackagesAreRead(t *testing.T) {
	got, err := parseInstalled([]byte("adduser\t3.134\tinstalled\nlibc6:amd64\t2.36-9\tinstalled\n"+
		"libc6:i386\t2.36-9\tunpacked\n"+
		"gone\t1.0\tconfig-files\nnever\t\tnot-installed\nman-db\t2.11\ttriggers-pending\n"), "amd64")
	want := map[string]installation{
		"adduser": {"3.134", true}, "libc6": {"2.36-9", true}, "libc6:i386": {"2.36-9", false}, "man-db": {"2.11", true},
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, said := range []string{"adduser 3.134 installed\n", "adduser\t3.134\n", "dpkg-query: something\n"} {
		if got, err := parseInstalled([]byte(said), "amd64"); err == nil {
			t.Errorf("%q gives %v, want an error", said, got)
		}
	}
}

func TestOnlyAnAptWithPatternsIsAsked(t *testing.T) {
	for _, tt := range []struct {
		said string
		ok   bool
	}{
		{"apt 2.6.1 (amd64)\n", true},
		{"apt 2.0 (arm64)\n", true},
		{"apt 10.1.2 (amd64)\nmore\n", true},
		{"apt 1.8.2.3 (amd64)\n", false},
		{"apt-get 2.6.1\n", false},
		{"apt\n", false},
		{"", false},
	} {
		if err := checkAptVersion([]byte(tt.said)); (err == nil) != tt.ok {
			t.Errorf("%q: %v, want accepted %v", tt.said, err, tt.ok)
		}
	}
}

func TestShellAssignmentsAreRead(t *testing.T) {
	got := parseShell([]byte("lists='/var/lib/apt/lists/'\nodd='it'\\''s'\nbare=x\n\nstatus='/var/lib/dpkg/status'\n"))
	want := map[string]string{"lists": "/var/lib/apt/lists/", "odd": "it's", "status": "/var/lib/dpkg/status"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNamesAndVersions(t *testing.T) {
	for name, want := range map[string]bool{
		"libstdc++6": true, "libc6:i386": true, "g++-12": true, "0ad": true, "a.b": true,
		"": false, "x": false, "-o": false, "a b": false, "libc6:": false, "libc6:-o": false, "a\nb": false, "Ünï": false,
	} {
		if got := isPackageName(name); got != want {
			t.Errorf("isPackageName(%q) is %v", name, got)
		}
	}
	for version, want := range map[string]bool{"1:2.0-1~deb12u1+b2": true, "v3": true, "(none)": false, "": false,
		"1 2": false} {
		if got := isVersion(version); got != want {
			t.Errorf("isVersion(%q) is %v", version, got)
		}
	}
}

// Whatever the tools write, reading it ends, and what is read is made of names and versions.
func FuzzPackageTools(f *testing.F) {
	for _, said := range []string{policyOrdinary, policyForeign + policyPinned, policyPhased, policyRebuilt,
		"adduser\t3.134\tinstalled\n", "x='y'\n"} {
		f.Add([]byte(said))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		upgrades, err := parsePolicy(said)
		for _, u := range upgrades {
			name, version, ok := splitTopicID(u.topicID())
			if err == nil && (!ok || name != u.name || version != u.candidate) {
				t.Errorf("topic id %q is read as %q and %q", u.topicID(), name, version)
			}
		}
		if table, err := parseInstalled(said, "amd64"); err == nil && len(table) > strings.Count(string(said), "\n")+1 {
			t.Errorf("%d packages in %d lines", len(table), strings.Count(string(said), "\n"))
		}
		parseShell(said)
	})
}
