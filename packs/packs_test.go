package packs

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

//go:embed testdata/disk.xml
var diskXML string

// parsed is a pack without a fault.
func parsed(t testing.TB, text string) *Pack {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A pack says everything that it may say.
func TestAPackIsReadWhole(t *testing.T) {
	p := parsed(t, diskXML)
	if p.ID != "Contoso.Disk" || p.Version != (Version{1, 2, 0, 0}) || p.Name != "Disks" || p.OS != "linux" ||
		p.MinAgent != "1.4.0" || p.Hash != HashOf([]byte(diskXML)) || !strings.HasPrefix(p.Hash, "sha256:") {
		t.Errorf("%+v", p)
	}
	if !p.Fits("linux") || p.Fits("windows") || !BuiltIn().Fits("windows") {
		t.Error("operating systems")
	}
	zero, one := int32(0), int32(1)
	for _, tc := range []struct{ got, want any }{
		{p.Topics, []Topic{{20100, "Disk space", 0, []State{{1, "Enough", "good"}, {2, "Low", "bad"},
			{3, "Full", "failed"}, {4, "Not known", "said_unknown"}, {5, "Odd", "other"}}}}},
		{p.Tasks[0], Task{ID: "Contoso.Disk.Clean", Name: "Empty the package cache", Public: true, Class: Disruptive,
			Timeout: 5 * time.Minute, Remotable: true, OutputLimit: 4096,
			Parameters: []Parameter{{Name: "KeepDays", Type: Int, Max: 365, Default: "7", HasDefault: true,
				Overridable: true}},
			Action: Action{Command: &Command{"/usr/bin/find", []string{"/var/cache/apt/archives", "-mtime",
				"+$(KeepDays)", "-delete"}}}}},
		{p.Rules[0].Parameters, []Parameter{{Name: "Mount", Type: String, MaxLength: 200, Pattern: "/[A-Za-z0-9/_-]*",
			Default: "/", HasDefault: true, Overridable: true}}},
		{p.Rules[0].Map.Params, []Param{{"$(Output.Line1)", true}, {"$(Mount)", false}}},
		{p.Rules[0].Map.Cases, []Case{{Exit: &zero, State: 1}, {Match: "9[0-9]", State: 3}, {Exit: &one, State: 2}}},
		{p.Baselines, []Baseline{{"Contoso.Base", "Basics", []string{"Contoso.Disk.Space"}}}},
	} {
		if got, want := said(tc.got), said(tc.want); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	rule := p.Rules[0]
	if rule.ID != "Contoso.Disk.Space" || !rule.Enabled || rule.Interval != 15*time.Minute ||
		rule.Timeout != 30*time.Second || rule.Map.Default != 4 || rule.Map.TopicID != "$(Mount)" ||
		rule.Map.TopicType != 20100 {
		t.Errorf("%+v", rule)
	}
	script := rule.Action.Script
	if script.Interpreter != "/bin/sh" || string(script.Text) != "df -P \"$SW_Mount\" && exit 1\n" {
		t.Errorf("%q", script.Text)
	}
	inner := p.Tasks[1]
	if inner.Public || inner.Remotable || !inner.Probe || !inner.Repeatable || inner.Action.BuiltIn != "scan" ||
		inner.OutputLimit != defaultOutput || inner.Parameters[0].Values[1] != "all" ||
		inner.Parameters[1].Min != int64(time.Hour) || inner.Parameters[1].Max != int64(7*24*time.Hour) ||
		!inner.Parameters[2].Required {
		t.Errorf("%+v", inner)
	}
}

// said is a value with what its pointers point to.
func said(value any) string {
	text := fmt.Sprintf("%+v", value)
	switch v := value.(type) {
	case []Case:
		text = ""
		for _, c := range v {
			if c.Exit != nil {
				text += fmt.Sprintf("exit %d ", *c.Exit)
			}
			text += fmt.Sprintf("match %q state %d; ", c.Match, c.State)
		}
	case Task:
		command := *v.Action.Command
		v.Action.Command = nil
		text = fmt.Sprintf("%+v %+v", v, command)
	}
	return text
}

// An override pack says what is different for whom.
func TestAnOverridePackIsRead(t *testing.T) {
	p := parsed(t, overrides)
	want := []Override{{"Contoso.Disk.Space", "Mount", "servers", "/srv"},
		{"Contoso.Disk.Space", "Enabled", "servers", "false"}}
	if len(p.Overrides) != 2 || p.Overrides[0] != want[0] || p.Overrides[1] != want[1] {
		t.Errorf("%+v", p.Overrides)
	}
}

const overrides = `<ManagementPack Format="1"><Manifest><Identity><ID>Contoso.Over</ID><Version>1.0.0.0</Version>` +
	`</Identity><Name>Servers</Name></Manifest><Overrides>` +
	`<Override Target="Contoso.Disk.Space" Parameter="Mount" Collection="servers">/srv</Override>` +
	`<Override Target="Contoso.Disk.Space" Parameter="Enabled" Collection="servers">false</Override>` +
	`</Overrides></ManagementPack>`

// The built-in pack has the tasks that every agent knows.
func TestTheBuiltInPack(t *testing.T) {
	p := BuiltIn()
	if p.ID != "Statewire.Utility" || p.Version.String() != "1.0.0.0" || p.Hash != HashOf(utilityXML) {
		t.Errorf("%s %s %s", p.ID, p.Version, p.Hash)
	}
	disruptive := map[string]bool{"RestartAgent": true, "FullScan": true}
	names := []string{"Policy", "Send", "Resync", "Scan", "RestartAgent", "CollectLogs", "TestEvent", "QuickScan",
		"FullScan", "UpdateDefinitions"}
	builtins := map[string]bool{}
	// those that say at their end what came of it
	summed := map[string]bool{"QuickScan": true, "FullScan": true, "UpdateDefinitions": true, "CollectLogs": true}
	for _, name := range names {
		task, err := p.Find(name)
		if err != nil {
			t.Error(err)
			continue
		}
		want := Benign
		if disruptive[name] {
			want = Disruptive
		}
		if task.ID != "Statewire.Utility."+name || task.Class != want || task.Action.BuiltIn == "" {
			t.Errorf("%+v", task)
		}
		builtins[task.Action.BuiltIn] = true
		if summed[name] && task.OutputLimit != MaxOutput {
			t.Errorf("of what %s writes %d bytes are kept: its summary is lost", name, task.OutputLimit)
		}
	}
	if len(p.Tasks) != len(names) || len(builtins) != len(BuiltIns) {
		t.Errorf("%d tasks, %d built-in actions", len(p.Tasks), len(builtins))
	}
	event, _ := p.Find("testevent")
	for text, ok := range map[string]bool{"hello\nworld": true, strings.Repeat("ü", 1000): true, "": true,
		strings.Repeat("x", 1001): false} {
		if _, err := event.Values([]Value{{"Text", text}}); (err == nil) != ok {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// A task is found by its id, or by how it ends where only one does; only what may be pushed is found.
func TestTasksAreFoundByTheirNames(t *testing.T) {
	p := &Pack{ID: "A", Tasks: []Task{{ID: "A.Clean", Public: true, Remotable: true},
		{ID: "A.B.Scan", Public: true, Remotable: true}, {ID: "A.C.Scan", Public: true, Remotable: true},
		{ID: "A.Inner", Remotable: true}, {ID: "A.Local", Public: true}}}
	for name, want := range map[string]string{"A.Clean": "A.Clean", "Clean": "A.Clean", "cLEAN": "A.Clean",
		"A.C.Scan": "A.C.Scan", "Scan": "", "a.clean": "", "Inner": "", "A.Inner": "", "Local": "", "A.Local": "", "": "",
		"lean": "", "C.Scan": ""} {
		task, err := p.Find(name)
		if task.ID != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", name, task.ID, err)
		}
	}
	if _, err := p.Find("Scan"); !strings.Contains(err.Error(), "A.B.Scan and A.C.Scan") {
		t.Error(err)
	}
	if _, err := p.Find("Claen"); !strings.Contains(err.Error(), "did you mean Clean") {
		t.Error(err)
	}
}

// Versions have four parts, which are numbers.
func TestVersions(t *testing.T) {
	for _, text := range []string{"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.x", "1.2.3.-4", "1.2.3.+4", "1.2.3.04", "1..2.3",
		"1.2.3.4 ", "1.2.3.2147483648"} {
		if v, err := ParseVersion(text); err == nil {
			t.Errorf("%q is %s", text, v)
		}
	}
	order := []string{"0.0.0.0", "1.2.0.9", "1.2.0.10", "1.10.0.0", "2.0.0.0", "2147483647.0.0.0"}
	for i, a := range order {
		for j, b := range order {
			v, err := ParseVersion(a)
			w, err2 := ParseVersion(b)
			if err != nil || err2 != nil || v.String() != a {
				t.Fatal(err, err2)
			}
			if got := v.Compare(w); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
}

// A class that nobody knows is above all.
func TestClassesAreOrdered(t *testing.T) {
	order := []Class{Benign, Disruptive, Destructive, "nuclear"}
	for i, a := range order {
		for j, b := range order {
			if a.Above(b) != (i > j) {
				t.Errorf("%s above %s", a, b)
			}
		}
		if a.Known() != (i < 3) {
			t.Errorf("%s", a)
		}
	}
}

// The place of a fault is where its element begins, in characters; all faults are told, in their order.
func TestFaultsHaveTheirPlaces(t *testing.T) {
	text := strings.Replace(diskXML, `Timeout="300"`, `Timeout="0" Üß="1"`, 1)
	text = strings.Replace(text, "<!-- ü -->", "<!-- ü --><Foo/>", 1)
	_, err := Parse([]byte(text))
	found, ok := errors.AsType[*Faults](err)
	if !ok || len(found.List) != 3 {
		t.Fatal(err)
	}
	lines := strings.Split(text, "\n")
	for i, f := range found.List {
		at := []rune(lines[f.Line-1])[f.Column-1:]
		want := []string{"<Foo/>", "<Task ID=\"Contoso.Disk.Clean\"", "<Task ID=\"Contoso.Disk.Clean\""}[i]
		if !strings.HasPrefix(string(at), want) {
			t.Errorf("%v is at %q", f, string(at))
		}
	}
	if !strings.Contains(err.Error(), "line 1, column ") || !bytes.Contains([]byte(err.Error()), []byte("1 to 86400")) {
		t.Error(err)
	}
}
