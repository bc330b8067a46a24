package smx_test

import (
	"strings"
	"testing"

	"statewire/fixtures"
	"statewire/smx"
)

// A refused report tells whose it was as far as it was read, and nothing of the report before it.
func TestARefusedReportTellsWhoseItWas(t *testing.T) {
	t.Parallel()
	good := string(fixtures.Report(fixtures.Message))
	_, rest, _ := strings.Cut(good, "<ClientID>")
	wire, _, _ := strings.Cut(rest, "</ClientID>")
	me, err := smx.ParseClientID(wire)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ = strings.Cut(good, "<NetBIOSName>")
	name, _, _ := strings.Cut(rest, "</NetBIOSName>")
	d := smx.NewDecoder()
	for _, c := range []struct {
		name, doc string
		client    smx.ClientID
		computer  string
	}{
		{"a fault behind the header", strings.Replace(good, "</StateMessage>", "</StateMessag>", 1), me, name},
		{"no XML", "none", smx.ClientID{}, ""},
		{"another document", "<Other/>", smx.ClientID{}, ""},
		{"a fault behind the id", strings.Replace(good, "</ClientID>", "</ClientID><ClientID>", 1), me, ""},
		{"a fault before it", strings.Replace(good, "<ClientID>", "<x></ClientID><ClientID>", 1), smx.ClientID{}, ""},
		{"a bad id", strings.Replace(good, "GUID:", "GUID;", 1), smx.ClientID{}, ""},
		{"cut in the header", good[:strings.Index(good, "</Machine>")], me, name},
		{"a long name", strings.Replace(strings.Replace(good, "<NetBIOSName>"+name,
			"<NetBIOSName>"+strings.Repeat("n", 99), 1), "</Report>", "", 1), me, strings.Repeat("n", 64)},
	} {
		checked, err := d.Check([]byte(c.doc))
		if err == nil || checked.Client != c.client || checked.NetBIOSName != c.computer || checked.Body != nil {
			t.Errorf("%s: %+v, %v", c.name, checked, err)
		}
		if taken, err := d.Check([]byte(good)); err != nil || taken.Client != me || taken.NetBIOSName != "" {
			t.Errorf("the report behind it: %+v, %v", taken, err)
		}
	}
}
