package packages

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"statewire/smx"
)

// leastApt is the first version of apt whose commands take patterns; an older one takes them for names that match
// nothing.
const leastApt = 2

// checkAptVersion reads a line such as "apt 2.6.1 (amd64)".
func checkAptVersion(said []byte) error {
	line, _, _ := strings.Cut(string(said), "\n")
	fields := strings.Fields(line)
	if len(fields) < 2 || fields[0] != "apt" {
		return fmt.Errorf("apt-cache --version says %.60q, which is no version of apt", line)
	}
	number, _, _ := strings.Cut(fields[1], ".")
	major, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("apt-cache --version says %.60q, which is no version of apt", line)
	}
	if major < leastApt {
		return fmt.Errorf("apt is version %.20s; %d.0 or later is needed", fields[1], leastApt)
	}
	return nil
}

func parseArchitecture(said []byte) (string, error) {
	arch := strings.TrimSpace(string(said))
	if arch == "" || strings.ContainsAny(arch, " \t\n") {
		return "", fmt.Errorf("dpkg --print-architecture says %.60q, which is no architecture", arch)
	}
	return arch, nil
}

// parseShell reads lines such as lists='/var/lib/apt/lists/'.
func parseShell(said []byte) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(string(said)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && len(value) >= 2 && value[0] == '\'' && value[len(value)-1] == '\'' {
			values[name] = strings.ReplaceAll(value[1:len(value)-1], `'\''`, "'")
		}
	}
	return values
}

// parseUnread is the first file that apt says it left out because this user may not read it. Then it speaks of fewer
// sources, or of other candidates, than it would to root. Its files of settings are most often kept from others for the
// password of a proxy, and change nothing.
func parseUnread(warned []byte) string {
	for line := range strings.Lines(string(warned)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "W: Unable to read ")
		path, _, _ = strings.Cut(path, " - ")
		if ok && !strings.Contains(path, "/apt.conf") {
			return path
		}
	}
	return ""
}

// parsePolicy reads what `apt-cache policy` says of packages that can be upgraded, sorted by name. It refuses what it
// does not know: half an answer would call the other half up to date.
func parsePolicy(said []byte) ([]upgrade, error) {
	var all []upgrade
	var version string // whose sources follow, in the version table
	number := 0
	for line := range strings.Lines(string(said)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		switch indent := len(line) - len(strings.TrimLeft(line, " ")); {
		case line == "":
		case indent == 0:
			name, ok := strings.CutSuffix(line, ":")
			if !ok || !isPackageName(name) {
				return nil, fmt.Errorf("line %d is %.80q, where the name of a package belongs", number, line)
			}
			all, version = append(all, upgrade{name: name}), ""
		case len(all) == 0:
			return nil, fmt.Errorf("line %d is %.80q, before the first package", number, line)
		default:
			version = all[len(all)-1].take(line, indent, version)
		}
	}
	for _, u := range all {
		if !isVersion(u.installed) || !isVersion(u.candidate) {
			return nil, fmt.Errorf("package %s: installed is %.60q and its candidate %.60q; both must be versions",
				u.name, u.installed, u.candidate)
		}
	}
	slices.SortFunc(all, func(a, b upgrade) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// take reads one line below a package's name and returns the version whose sources follow.
func (u *upgrade) take(line string, indent int, version string) string {
	text := strings.TrimSpace(line)
	fields := strings.Fields(strings.TrimPrefix(text, "*** "))
	switch {
	case indent == 2:
		if v, ok := strings.CutPrefix(text, "Installed: "); ok {
			u.installed = v
		} else if v, ok := strings.CutPrefix(text, "Candidate: "); ok {
			u.candidate = v
		}
	case indent >= 7: // a source: its priority, its address, suite/component
		if version == u.candidate && u.origin == "" && len(fields) >= 3 {
			u.origin = smx.Spell(fields[2])
		}
		return version
	case len(fields) > 0: // a version and its priority
		return fields[0]
	}
	return ""
}

const installedFormat = "${binary:Package}\t${Version}\t${db:Status-Status}\n"

// parseInstalled reads dpkg-query's lines in installedFormat into a table by apt's names.
func parseInstalled(said []byte, arch string) (map[string]installation, error) {
	table := map[string]installation{}
	number := 0
	for line := range strings.Lines(string(said)) {
		number++
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(fields) != 3 || !isPackageName(fields[0]) {
			return nil, fmt.Errorf("line %d is %.80q, want name, version and status", number, line)
		}
		name := strings.TrimSuffix(fields[0], ":"+arch)
		switch fields[2] {
		case "not-installed", "config-files":
		case "installed", "triggers-pending", "triggers-awaited":
			table[name] = installation{fields[1], true}
		default:
			table[name] = installation{fields[1], false}
		}
	}
	return table, nil
}

// isPackageName says whether s is a package's name, with or without an architecture.
func isPackageName(s string) bool {
	name, arch, qualified := strings.Cut(s, ":")
	return len(name) >= 2 && isWord(name, "+-.") && (!qualified || isWord(arch, "-"))
}

// isVersion says whether s is a version. That it begins with a digit is the rule, but dpkg takes others.
func isVersion(s string) bool { return isWord(s, "+-.~:") }

// isWord says whether s has letters and digits of ASCII and the given marks only, and begins with no mark.
func isWord(s, marks string) bool {
	for i := range len(s) {
		letter := 'a' <= s[i]|0x20 && s[i]|0x20 <= 'z' || '0' <= s[i] && s[i] <= '9'
		if !letter && (i == 0 || !strings.Contains(marks, string(s[i]))) {
			return false
		}
	}
	return s != ""
}
