package packs

import (
	"strings"
	"testing"
)

// An update has a higher version, and keeps what others count on as long as the first part of its version is the same.
func TestWhatFollowsAPack(t *testing.T) {
	old := parsed(t, diskXML)
	for _, tc := range []struct {
		name    string
		version string
		change  []string
		want    string
	}{
		{"the same", "1.2.0.0", nil, ""},
		{"the same version, another content", "1.2.0.0", []string{"Disks", "Discs"}, "with other content"},
		{"a lower version", "1.1.9.9", nil, "is older than 1.2.0.0"},
		{"a lower first part", "0.9.0.0", nil, "is older"},
		{"a higher version", "1.2.0.1", nil, ""},
		{"ten is more than two", "1.10.0.0", nil, ""},
		{"another pack", "1.3.0.0", []string{"Contoso.Disk", "Contoso.Disc"}, "is another than"},
		{"a public task gone", "1.3.0.0", []string{"Contoso.Disk.Clean", "Contoso.Disk.Clear"},
			"the public task Contoso.Disk.Clean"},
		{"a public task that is none", "1.3.0.0", []string{`Accessibility="Public"`, `Accessibility="Internal"`},
			"the public task Contoso.Disk.Clean"},
		{"a public task gone, a new first part", "2.0.0.0", []string{"Contoso.Disk.Clean", "Contoso.Disk.Clear"}, ""},
		{"an internal task gone", "1.3.0.0", []string{"Contoso.Disk.Look", "Contoso.Disk.See"}, ""},
		{"a parameter gone", "1.3.0.0", []string{"KeepDays", "Days"}, "the parameter KeepDays of type int"},
		{"a parameter of another type", "1.3.0.0", []string{`Type="int" Min="0" Max="365" Default="7"`,
			`Type="duration" Default="7d"`}, "the parameter KeepDays of type int"},
		{"other bounds of a parameter", "1.3.0.0", []string{`Max="365"`, `Max="30"`}, ""},
		{"a topic gone", "1.3.0.0", []string{`"20100"`, `"20101"`}, "the topic 20100"},
		{"a state gone", "1.3.0.0", []string{`<State ID="5" Name="Odd"/>`, ``}, "the state 5 of topic 20100"},
		{"a state more", "1.3.0.0", []string{`<State ID="5" Name="Odd"/>`,
			`<State ID="5" Name="Odd"/><State ID="6" Name="Odder"/>`}, ""},
	} {
		text := strings.Replace(diskXML, "1.2.0.0", tc.version, 1)
		if tc.change != nil {
			text = strings.ReplaceAll(text, tc.change[0], tc.change[1])
		}
		err := Follows(old, parsed(t, text))
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
