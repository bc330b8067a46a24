package packs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"statewire/trust"
)

// row is a change of a good pack, and what is said of it.
type row struct {
	name     string
	old, new string
	want     string // in the text of a fault; empty: there is none
}

func (r row) check(t *testing.T, from string) {
	t.Helper()
	if strings.Count(from, r.old) == 0 {
		t.Errorf("%s: %q is not in the pack", r.name, r.old)
		return
	}
	_, err := Parse([]byte(strings.Replace(from, r.old, r.new, 1)))
	if r.want == "" {
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		return
	}
	found, ok := errors.AsType[*Faults](err)
	if !ok || !strings.Contains(err.Error(), r.want) {
		t.Errorf("%s: %v\nwant %s", r.name, err, r.want)
		return
	}
	for _, f := range found.List {
		if f.Line < 1 || f.Column < 1 || f.Text == "" {
			t.Errorf("%s: %+v", r.name, f)
		}
	}
}

func many(count int, format string) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, format, i)
	}
	return text.String()
}

// The document is well-formed, and holds nothing that this version does not know.
func TestADocumentIsStrict(t *testing.T) {
	for _, r := range []row{
		{"another format", `Format="1"`, `Format="2"`, `Format "2"; this version knows 1`},
		{"no format", ` Format="1"`, ``, "needs the attribute Format"},
		{"another root", `<ManagementPack Format="1">`, `<X Format="1">`, ""},
		{"a document type", `<ManagementPack`, `<!DOCTYPE x><ManagementPack`, "document type"},
		{"two roots", "</ManagementPack>", "</ManagementPack><x/>", "follows the root"},
		{"not UTF-8", "Disks", "Di\xffks", "not UTF-8"},
		{"another encoding", "<ManagementPack", `<?xml version="1.0" encoding="UTF-16"?><ManagementPack`, "UTF-16"},
		{"UTF-8 by name", "<ManagementPack", `<?xml version="1.0" encoding="UTF-8"?><ManagementPack`, ""},
		{"a byte order mark", "<ManagementPack", "\uFEFF<ManagementPack", ""},
		{"an unknown element", "<Topics>", "<Topic/><Topics>", `"Topic" can't stand in ManagementPack; did you mean Topics?`},
		{"an element twice", "<Topics>", "<Topics/><Topics>", "a second Topics in ManagementPack"},
		{"a missing element", "<Name>Disks</Name>", "", "Manifest needs an element Name"},
		{"an unknown attribute", `Timeout="300"`, `Timeout="300" Timout="3"`, "did you mean Timeout?"},
		{"a missing attribute", ` Timeout="300"`, ``, "Task needs the attribute Timeout"},
		{"an attribute twice", `Timeout="300"`, `Timeout="300" Timeout="300"`, "appears twice"},
		{"a prefix", "<Name>Disks</Name>", "<x:Name>Disks</x:Name>", `"x:Name" can't stand`},
		{"a line break in an attribute", `Name="Low"`, "Name=\"L\now\"", "line break"},
		{"a tab in an attribute", `Name="Low"`, `Name="L&#9;ow"`, "line break or a tab"},
		{"text between", "<Topics>", "<Topics>hello", "Topics can't have a text"},
		{"too large", "<!-- ü -->", strings.Repeat(" ", trust.MaxPackBytes), "allowed are 1048576"},
		{"too deep", "<Topics>", "<Topics>" + strings.Repeat("<x>", 40) + strings.Repeat("</x>", 40), "line 4"},
		{"cut", "</ManagementPack>", "", "line "},
	} {
		if r.name == "another root" { // both tags change
			text := strings.NewReplacer("<ManagementPack", "<X", "</ManagementPack", "</X").Replace(diskXML)
			if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "allowed is ManagementPack") {
				t.Error(err)
			}
			continue
		}
		r.check(t, diskXML)
	}
	if _, err := Parse(nil); err == nil {
		t.Error("nothing is a pack")
	}
	_, err := Parse([]byte(strings.Replace(diskXML, "<Topics>", "<Topics>"+strings.Repeat("<x/>", 50), 1)))
	if found, ok := errors.AsType[*Faults](err); !ok || len(found.List) != mostFaults {
		t.Errorf("%v", err)
	}
}

// Names are names, numbers are within their bounds, and ids are there once.
func TestEveryPartIsWithinItsBounds(t *testing.T) {
	long := strings.Repeat("x", maxID+1)
	task := `<Task ID="Contoso.Disk.T%d" Accessibility="Public" Class="benign" Timeout="1"><Name>n</Name>` +
		`<ProbeAction><BuiltIn Name="scan"/></ProbeAction></Task>`
	rule := `<Rule ID="Contoso.Disk.R%d" Interval="60" Timeout="1"><ProbeAction><BuiltIn Name="scan"/></ProbeAction>` +
		`<Map TopicType="20100"><Default State="4"/></Map></Rule>`
	baseline := `<Baseline ID="B%d" Name="n"><Item Rule="R"/></Baseline>`
	for _, r := range []row{
		{"an id with a space", "<ID>Contoso.Disk</ID>", "<ID>Contoso Disk</ID>", "is no id"},
		{"an id that begins with a dot", "<ID>Contoso.Disk</ID>", "<ID>.Contoso.Disk</ID>", "is no id"},
		{"a long id", `ID="Contoso.Base"`, `ID="` + long + `"`, "is no id"},
		{"an id of all characters", `ID="Contoso.Base"`, `ID="` + long[1:] + `"`, ""},
		{"an empty id", `ID="Contoso.Base"`, `ID=""`, "is no id"},
		{"a task of another pack", `ID="Contoso.Disk.Clean"`, `ID="Contoso.Clean"`, "does not begin with the pack's"},
		{"a task whose id only looks so", `ID="Contoso.Disk.Clean"`, `ID="Contoso.DiskClean"`, "does not begin"},
		{"a rule of another pack", `Rule ID="Contoso.Disk.Space"`, `Rule ID="Contoso.Space"`, "does not begin"},
		{"an id twice", `ID="Contoso.Disk.Look"`, `ID="Contoso.Disk.Clean"`, "a second element has the ID"},
		{"a rule called as a task", `Rule ID="Contoso.Disk.Space"`, `Rule ID="Contoso.Disk.Clean"`, "a second element"},
		{"ids in other letters are others", `ID="Contoso.Disk.Look"`, `ID="Contoso.Disk.clean"`, ""},
		{"a version of three parts", "1.2.0.0", "1.2.0", "four parts"},
		{"another system", `OS="linux"`, `OS="plan9"`, "allowed are linux, windows, darwin"},
		{"an odd agent", `MinAgent="1.4.0"`, `MinAgent="new"`, "no version"},
		{"no name", "<Name>Disks</Name>", "<Name> </Name>", "Name has 0 characters"},
		{"a long name", "<Name>Disks</Name>", "<Name>" + strings.Repeat("ü", 201) + "</Name>", "Name has 201 characters"},
		{"a name of all characters", "<Name>Disks</Name>", "<Name>" + strings.Repeat("ü", 200) + "</Name>", ""},
		{"our own topic", `Topic Type="20100"`, `Topic Type="20009"`, "from 20010 to 29999"},
		{"a topic above", `Topic Type="20100"`, `Topic Type="30000"`, "from 20010 to 29999"},
		{"a topic twice", `</Topics>`, `<Topic Type="20100" Name="x"><State ID="1" Name="x"/></Topic></Topics>`,
			"a second topic"},
		{"a topic without states", `</Topics>`, `<Topic Type="20101" Name="x"/></Topics>`, "0 states"},
		{"a topic with too many states", `</Topics>`, `<Topic Type="20101" Name="x">` +
			many(101, `<State ID="%d" Name="x"/>`) + `</Topic></Topics>`, "101 states"},
		{"a state twice", `State ID="2"`, `State ID="1"`, "a second state"},
		{"a class that is none", `Class="bad"`, `Class="awful"`, "allowed are good, bad"},
		{"no access", `Accessibility="Public"`, `Accessibility="public"`, "allowed are Public, Internal"},
		{"no class of tasks", `Class="disruptive"`, `Class="mild"`, "allowed are benign, disruptive, destructive"},
		{"no time", `Timeout="300"`, `Timeout="0"`, "from 1 to 86400"},
		{"a day", `Timeout="300"`, `Timeout="86400"`, ""},
		{"more than a day", `Timeout="300"`, `Timeout="86401"`, "from 1 to 86400"},
		{"half a second", `Timeout="300"`, `Timeout="0.5"`, "whole number"},
		{"a sign", `Timeout="300"`, `Timeout="+300"`, "whole number"},
		{"neither yes nor no", `Repeatable="false"`, `Repeatable="no"`, "allowed are true, false"},
		{"two actions", `<ProbeAction><BuiltIn Name="scan"/></ProbeAction>`,
			`<ProbeAction><BuiltIn Name="scan"/></ProbeAction><WriteAction><BuiltIn Name="scan"/></WriteAction>`,
			"a ProbeAction or a WriteAction, and not both"},
		{"no action", `<ProbeAction><BuiltIn Name="scan"/></ProbeAction>`, ``, "a ProbeAction or a WriteAction"},
		{"an action of two", `<BuiltIn Name="scan"/>`, `<BuiltIn Name="scan"/><BuiltIn Name="send"/>`, "exactly one of"},
		{"an action of nothing", `<BuiltIn Name="scan"/>`, ``, "exactly one of"},
		{"an action that nobody knows", `<BuiltIn Name="scan"/>`, `<BuiltIn Name="format"/>`, "allowed are policy, send"},
		{"output of another type", `Output Type="text"`, `Output Type="json"`, "allowed are text"},
		{"no output", `Limit="4096"`, `Limit="0"`, "from 1 to 1048576"},
		{"too much output", `Limit="4096"`, `Limit="1048577"`, "from 1 to 1048576"},
		{"a rule too often", `Interval="900"`, `Interval="59"`, "from 60 to"},
		{"a rule each minute", `Interval="900"`, `Interval="60"`, ""},
		{"too many tasks", `</Tasks>`, many(999, task) + `</Tasks>`, "allowed are 1000"},
		{"many tasks", `</Tasks>`, many(998, task) + `</Tasks>`, ""},
		{"too many rules", `</Rules>`, many(1000, rule) + `</Rules>`, "allowed are 1000"},
		{"too many baselines", `</Baselines>`, many(100, baseline) + `</Baselines>`, "allowed are 100"},
		{"a rule twice in a baseline", `<Item Rule="Contoso.Disk.Space"/>`,
			`<Item Rule="Contoso.Disk.Space"/><Item Rule="Contoso.Disk.Space"/>`, "in the baseline twice"},
		{"an empty baseline", `<Item Rule="Contoso.Disk.Space"/>`, ``, "0 items"},
		{"overrides beside others", `</ManagementPack>`, `<Overrides><Override Target="A.B" Parameter="C" ` +
			`Collection="d">e</Override></Overrides></ManagementPack>`, "a pack of their own"},
	} {
		r.check(t, diskXML)
	}
	for _, r := range []row{
		{"an override without a collection", `Collection="servers"`, `Collection=""`, "0 characters"},
		{"an override of an odd parameter", `Parameter="Mount"`, `Parameter="a b"`, "no name of a parameter"},
		{"an override twice", `Parameter="Enabled"`, `Parameter="Mount"`, "twice"},
		{"an override for two collections", `Parameter="Enabled" Collection="servers"`, `Parameter="Mount" Collection="x"`,
			""},
		{"a long override", "/srv", strings.Repeat("x", 4097), "allowed are 4096"},
	} {
		r.check(t, overrides)
	}
}

// Programs are named by their whole path, and parameters go where no shell reads them.
func TestActionsLeaveNothingToAShell(t *testing.T) {
	arg := "<Arg>-delete</Arg>"
	script := `<Script Interpreter="/bin/sh" Encoding="base64">ZGYgLVAgIiRTV19Nb3VudCIgJiYgZXhpdCAxCg==</Script>`
	sized := func(n int) string {
		return `<Script Interpreter="/bin/sh"><![CDATA[` + strings.Repeat("x", n) + `]]></Script>`
	}
	for _, r := range []row{
		{"a relative program", `Path="/usr/bin/find"`, `Path="find"`, "is not absolute"},
		{"a Windows program for Linux", `Path="/usr/bin/find"`, `Path="C:\find.exe"`, "is not absolute"},
		{"a program by a parameter", `Path="/usr/bin/find"`, `Path="/usr/bin/$(KeepDays)"`, "not for programs"},
		{"a relative interpreter", `Interpreter="/bin/sh"`, `Interpreter="sh"`, "is not absolute"},
		{"too many arguments", arg, many(62, "<Arg>%d</Arg>"), "allowed are 64"},
		{"many arguments", arg, many(61, "<Arg>%d</Arg>"), ""},
		{"a long argument", arg, "<Arg>" + strings.Repeat("x", 4097) + "</Arg>", "allowed are 4096"},
		{"an unknown parameter", "$(KeepDays)", "$(KeepDay)", "$(KeepDay) names no parameter"},
		{"a parameter in other letters", "$(KeepDays)", "$(keepdays)", "names no parameter"},
		{"a parameter that does not end", "$(KeepDays)", "$(KeepDays", "begins the name"},
		{"a command in a command", "$(KeepDays)", "$(rm -rf /)", "begins the name"},
		{"a nested parameter", "$(KeepDays)", "$($(KeepDays))", "begins the name"},
		{"a parameter without a value", ` Default="7"`, ``, "may have no value"},
		{"a parameter that must be given", ` Default="7"`, ` Required="true"`, ""},
		{"a script of 256 KiB", script, sized(maxScriptBytes), ""},
		{"a larger script", script, sized(maxScriptBytes + 1), "allowed are 1 to 262144"},
		{"no script", script, sized(0), "allowed are 1 to 262144"},
		{"a script that is not base64", "ZGYgLVAg", "ZGYgLV*g", "not base64"},
		{"a script in base64 in lines", "ZGYgLVAg", "\nZGYg\n LVAg", ""},
		{"a script in another encoding", `Encoding="base64"`, `Encoding="hex"`, "allowed are plain, base64"},
		{"an odd state", `<Default State="4"/>`, `<Default State="9"/>`, "topic 20100 has no state 9"},
		{"an odd state of a case", `Code="0" State="1"`, `Code="0" State="9"`, "topic 20100 has no state 9"},
		{"an odd state of a match", `Pattern="9[0-9]" State="3"`, `Pattern="9[0-9]" State="9"`, "has no state 9"},
		{"a state of a topic elsewhere", `<Map TopicType="20100"`, `<Map TopicType="20200"`, ""},
		{"a map to our own topic", `<Map TopicType="20100"`, `<Map TopicType="20001"`, "from 20010 to 29999"},
		{"no default", `<Default State="4"/>`, ``, "Map needs an element Default"},
		{"an odd pattern", `Pattern="9[0-9]"`, `Pattern="9[0-9"`, "RE2"},
		{"an odd topic id", `TopicID="$(Mount)"`, `TopicID="$(Count)"`, "names no parameter"},
		{"output in a topic id", `TopicID="$(Mount)"`, `TopicID="$(Output.Line1)"`, "begins the name"},
		{"too many params", `<Param>$(Mount)</Param>`, strings.Repeat("<Param>x</Param>", 16), "allowed are 100 and 16"},
	} {
		r.check(t, diskXML)
	}
	windows := strings.NewReplacer(`OS="linux"`, `OS="windows"`, "/usr/bin/find", `C:\Tools\find.exe`, "/bin/sh",
		`C:\Tools\sh.exe`).Replace(diskXML)
	for _, r := range []row{
		{"a Windows program", "find.exe", "finder.exe", ""},
		{"a batch file", "find.exe", "find.bat", "is a batch file"},
		{"a batch file in other letters", "find.exe", "find.CMD", "is a batch file"},
		{"a batch file behind a blank", "find.exe", "find.bat .", "is a batch file"},
		{"a share", `C:\Tools\find.exe`, `\\server\find.exe`, "is not absolute"},
		{"a Linux program for Windows", `C:\Tools\find.exe`, `/usr/bin/find`, "is not absolute"},
	} {
		r.check(t, windows)
	}
}

// A parameter has what its type needs, and a default that it may have.
func TestParametersAreWhole(t *testing.T) {
	mount := `<Parameter Name="Mount" Type="string" MaxLength="200" Pattern="/[A-Za-z0-9/_-]*" Default="/" ` +
		`Overridable="true"/>`
	days := `<Parameter Name="KeepDays" Type="int" Min="0" Max="365" Default="7" Overridable="true"/>`
	extra := func(text string) string { return days + text }
	for _, r := range []row{
		{"no pattern", ` Pattern="/[A-Za-z0-9/_-]*"`, ``, "needs the attribute Pattern"},
		{"no length", ` MaxLength="200"`, ``, "needs the attribute MaxLength"},
		{"a great length", `MaxLength="200"`, `MaxLength="4097"`, "from 1 to 4096"},
		{"a pattern that is none", `Pattern="/[A-Za-z0-9/_-]*"`, `Pattern="/["`, "RE2"},
		{"a pattern that breaks out", `Pattern="/[A-Za-z0-9/_-]*"`, `Pattern="/)|(.*"`, "RE2"},
		{"a pattern that looks back", `Pattern="/[A-Za-z0-9/_-]*"`, `Pattern="(/)\1"`, "RE2"},
		{"a long pattern", `Pattern="/[A-Za-z0-9/_-]*"`, `Pattern="` + strings.Repeat("/", 1001) + `"`, "allowed are 1000"},
		{"a default beside the pattern", `Default="/"`, `Default="x/"`, "Default of Mount must be"},
		{"a long default", `Default="/"`, `Default="/` + strings.Repeat("x", 200) + `"`, "Default of Mount must be"},
		{"a default below", `Default="7"`, `Default="-1"`, "from 0 to 365"},
		{"a default above", `Default="7"`, `Default="366"`, "from 0 to 365"},
		{"bounds that cross", `Min="0"`, `Min="366"`, "above its Max"},
		{"a type that is none", `Type="int"`, `Type="float"`, "allowed are string, int"},
		{"a length of a number", `Min="0"`, `MaxLength="0"`, `"MaxLength"`},
		{"an odd name", `Name="KeepDays"`, `Name="Keep-Days"`, "a letter, then letters"},
		{"a name that begins with a digit", `Name="KeepDays"`, `Name="7Days"`, "a letter, then letters"},
		{"a rule's own name", `Name="Mount"`, `Name="Interval"`, "overrides mean the rule's own"},
		{"a name twice", days, extra(`<Parameter Name="keepdays" Type="bool"/>`), "a second parameter"},
		{"too many", days, extra(many(10, `<Parameter Name="P%d" Type="bool"/>`)), "allowed are 10"},
		{"many", days, extra(many(9, `<Parameter Name="P%d" Type="bool"/>`)), ""},
		{"required with a default", days, extra(`<Parameter Name="A" Type="bool" Required="true" Default="true" ` +
			`Overridable="true"/>`), "Required"},
		{"required and nobody may give it", days, extra(`<Parameter Name="A" Type="bool" Required="true"/>`), "Required"},
		{"a rule's required one", mount, mount + `<Parameter Name="A" Type="bool" Required="true" Overridable="true"/>`,
			"nobody gives a rule"},
		{"a bool that is none", days, extra(`<Parameter Name="A" Type="bool" Default="yes"/>`), "true or false"},
		{"a guid that is none", days, extra(`<Parameter Name="A" Type="guid" Default="x"/>`), "a GUID such as"},
		{"a duration that is none", days, extra(`<Parameter Name="A" Type="duration" Default="1.5h"/>`), "a duration"},
		{"a bound that is no duration", days, extra(`<Parameter Name="A" Type="duration" Min="1h30m"/>`), "no duration"},
		{"an enum of nothing", days, extra(`<Parameter Name="A" Type="enum"/>`), "0 elements Value"},
		{"an enum of one thing twice", days, extra(`<Parameter Name="A" Type="enum"><Value>a</Value><Value>a</Value>` +
			`</Parameter>`), "there twice"},
		{"an enum of too much", days, extra(`<Parameter Name="A" Type="enum">` + many(101, "<Value>%d</Value>") +
			`</Parameter>`), "101 elements Value"},
		{"a default that an enum has not", days, extra(`<Parameter Name="A" Type="enum" Default="b"><Value>a</Value>` +
			`</Parameter>`), "Default of A must be a"},
		{"values of a number", days, extra(`<Parameter Name="A" Type="int"><Value>1</Value></Parameter>`), `"Value"`},
		{"defaults that are too long together", days, extra(many(5, `<Parameter Name="P%d" Type="string" MaxLength="4096" `+
			`Pattern=".*" Default="`+strings.Repeat("x", 4096)+`"/>`)), "16384 bytes together"},
	} {
		r.check(t, diskXML)
	}
}

// A script in base64 is what it says, and one as text keeps its lines.
func TestScriptsAreTheirExactText(t *testing.T) {
	text := "a\n\tb \"ü\" <&>\n"
	for name, in := range map[string]string{
		"plain":  `Encoding="plain"><![CDATA[` + text + `]]>`,
		"base64": `Encoding="base64">` + base64.StdEncoding.EncodeToString([]byte(text)),
	} {
		_, rest, _ := strings.Cut(diskXML, `Encoding="base64">`)
		script, _, _ := strings.Cut(rest, "</Script>")
		p := parsed(t, strings.Replace(diskXML, `Encoding="base64">`+script, in, 1))
		if got := string(p.Rules[0].Action.Script.Text); got != text {
			t.Errorf("%s: %q", name, got)
		}
	}
}
