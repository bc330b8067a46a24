package policy

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"statewire/smx"
)

var fullPolicy = Document{
	Client: smx.ClientID{0xF1, 0xB0, 0x30, 0x89, 14: 1},
	Resync: &Resync{Number: 3, NextSerial: 1432, Issued: time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC),
		Reason: "missing"},
	SendInterval:   15 * time.Minute,
	PolicyInterval: time.Hour,
	Topics: []Topic{{Type: 300, Interval: time.Hour}, {Type: 500, Paused: true},
		{Type: 1<<32 - 1, Paused: true, Interval: 366 * 24 * time.Hour}},
	Relay:    "https://relay.example:8443/a?b=\"c\"&d='e'\t<é>",
	Notifier: "push.example:10123",
}

const fullPolicyDocument = `<?xml version="1.0" encoding="UTF-8"?>
<Policy Version="1" Client="GUID:F1B03089-0000-0000-0000-000000000100">
  <Resync Number="3" NextSerial="1432" Issued="2026-03-10T08:00:00Z" Reason="missing"/>
  <SendInterval Seconds="900"/>
  <PolicyInterval Seconds="3600"/>
  <Topic Type="300" Interval="3600"/>
  <Topic Type="500" Paused="true"/>
  <Topic Type="4294967295" Paused="true" Interval="31622400"/>
  <Relay Address="https://relay.example:8443/a?b=&quot;c&quot;&amp;d='e'&#x9;&lt;é>"/>
  <Notifier Address="push.example:10123"/>
</Policy>
`

func TestAPolicyIsReadAsItWasWritten(t *testing.T) {
	if got := string(Encode(fullPolicy)); got != fullPolicyDocument {
		t.Errorf("got\n%s\nwant\n%s", got, fullPolicyDocument)
	}
	for name, p := range map[string]Document{"everything": fullPolicy, "nothing wanted": {Client: fullPolicy.Client}} {
		doc := Encode(p)
		for form, bytes := range map[string][]byte{"UTF-8": doc, "UTF-16": smx.EncodeUTF16(nil, doc, false)} {
			if got, err := Decode(bytes); err != nil || !reflect.DeepEqual(got, p) {
				t.Errorf("%s in %s: got %+v, %v", name, form, got, err)
			}
		}
	}
}

func TestEncodePutsRightWhatItCan(t *testing.T) {
	p := Document{
		SendInterval: 1500 * time.Millisecond, Topics: []Topic{{Type: 500}, {Type: 300}}, Relay: "a\x01\xffb",
		Resync: &Resync{Number: 1, NextSerial: 1, Issued: time.Date(2026, 3, 10, 9, 0, 0, 5, time.FixedZone("", 3600))},
	}
	got, err := Decode(Encode(p))
	if err != nil {
		t.Fatal(err)
	}
	if got.SendInterval != 2*time.Second || got.Topics[0].Type != 300 || got.Relay != "a\uFFFD\uFFFDb" ||
		got.Resync.Issued.Format(time.RFC3339) != "2026-03-10T08:00:00Z" {
		t.Errorf("got %+v, %+v", got, got.Resync)
	}
}

func TestDecodeKnowsWhatToIgnoreAndWhatToRefuse(t *testing.T) {
	swap := func(old, new string) string {
		if !strings.Contains(fullPolicyDocument, old) {
			t.Fatalf("the document has no %s", old)
		}
		return strings.Replace(fullPolicyDocument, old, new, 1)
	}
	for _, c := range []struct{ name, doc, want string }{
		{"unknown element", swap("<SendInterval", `<Later a="1"><b>x</b></Later><SendInterval`), ""},
		{"unknown attribute", swap(`Number="3"`, `Number="3" Sender="x"`), ""},
		{"comments and white space", swap("<Resync", "<!-- c -->\n\n<Resync"), ""},
		{"empty", "", "xml"},
		{"a report", string(smx.AppendReport(nil, &smx.Report{})), "no Policy"},
		{"another version", swap(`Version="1"`, `Version="2"`), "version"},
		{"no client", swap(`Client="GUID:`, `Client="`), "Client"},
		{"no number", swap(`Number="3" `, ""), "Number of Resync"},
		{"number 0", swap(`Number="3"`, `Number="0"`), "Number of Resync"},
		{"number with a sign", swap(`Number="3"`, `Number="+3"`), "Number of Resync"},
		{"serial above 2^62+1", swap(`NextSerial="1432"`, `NextSerial="4611686018427387906"`), "NextSerial"},
		{"NextSerial 0", swap(`NextSerial="1432"`, `NextSerial="0"`), "NextSerial"},
		{"one topic more than allowed", manyTopics(MaxTopics + 1), "topics; allowed are"},
		{"no time", swap(`Issued="2026-03-10T08:00:00Z"`, `Issued="yesterday"`), "Issued"},
		{"a time within a second", swap(`Issued="2026-03-10T08:00:00Z"`, `Issued="2026-03-10T08:00:00.5Z"`), "Issued"},
		{"interval 0", swap(`Seconds="900"`, `Seconds="0"`), "SendInterval"},
		{"interval of years", swap(`Seconds="900"`, `Seconds="99999999"`), "SendInterval"},
		{"two send intervals", swap("<Relay", `<SendInterval Seconds="1"/><Relay`), "a second SendInterval"},
		{"a topic twice", swap(`Type="300"`, `Type="500"`), "twice"},
		{"paused by half", swap(`Paused="true"`, `Paused="half"`), "Paused"},
		{"accepted by half", swap(`Number="3"`, `Number="3" Accepted="half"`), "Accepted of Resync"},
		{"not accepted", swap(`Number="3"`, `Number="3" Accepted="false"`), ""},
		{"relay without an address", swap(`Address="push.example:10123"`, ""), "Notifier has no Address"},
		{"a document type", swap("<Policy", "<!DOCTYPE Policy><Policy"), smx.CodeDoctype},
		{"an attribute twice", swap(`Number="3"`, `Number="3" Number="4"`), smx.CodeDuplicateAttr},
		{"a second root", fullPolicyDocument + "<Policy/>", smx.CodeTrailing},
		{"cut off", fullPolicyDocument[:200], smx.CodeSyntax},
		{"too long", fullPolicyDocument + strings.Repeat(" ", MaxBytes), "allowed are"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decode([]byte(c.doc))
			switch {
			case c.want == "" && (err != nil || !reflect.DeepEqual(got, fullPolicy)):
				t.Errorf("got %+v, %v", got, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error is %v, want one about %s", err, c.want)
			}
		})
	}
}

// manyTopics is a policy that speaks of so many topic types.
func manyTopics(n int) string {
	p := Document{Client: fullPolicy.Client}
	for i := range n {
		p.Topics = append(p.Topics, Topic{Type: uint32(i), Paused: true})
	}
	return string(Encode(p))
}

// The bounds themselves are allowed: the client whose serials are used up continues from 2^62+1, and learns from that
// number that they are.
func TestDecodeAtItsBounds(t *testing.T) {
	for _, serial := range []uint64{1, smx.MaxSerial, smx.MaxSerial + 1} {
		p := fullPolicy
		p.Resync = &Resync{Number: 1<<32 - 1, NextSerial: serial, Issued: fullPolicy.Resync.Issued,
			Accepted: serial > 1}
		if got, err := Decode(Encode(p)); err != nil || *got.Resync != *p.Resync {
			t.Errorf("serial %d is read as %+v, %v", serial, got.Resync, err)
		}
	}
	got, err := Decode([]byte(manyTopics(MaxTopics)))
	if err != nil || len(got.Topics) != MaxTopics || got.Topics[MaxTopics-1].Type != MaxTopics-1 {
		t.Errorf("%d topics, %v", len(got.Topics), err)
	}
}

// A document full of faults is refused in a few words: they end in a log and in a status.
func TestDecodeTellsTheFirstFaults(t *testing.T) {
	topics := strings.Repeat("<Topic/>", 30_000)
	_, err := Decode([]byte(strings.Replace(fullPolicyDocument, "</Policy>", topics+"</Policy>", 1)))
	if err == nil || len(err.Error()) > 2000 || !strings.Contains(err.Error(), "Type of Topic") {
		t.Fatalf("%d bytes: %.300v", len(err.Error()), err)
	}
}

// FuzzDecode: what is read can be written, and reads the same again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(fullPolicyDocument))
	f.Add(Encode(Document{}))
	f.Add(smx.EncodeUTF16(nil, []byte(fullPolicyDocument), true))
	f.Add(Encode(Document{Tasks: many(2, 40)}))
	f.Add(Encode(Document{Trust: &Trust{CA: authorities(f, 2), Document: []byte(envelope)}}))
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := Decode(doc)
		if err != nil {
			return
		}
		again := Encode(p)
		back, err := Decode(again)
		if err != nil && len(again) <= MaxBytes {
			t.Fatalf("what was read is refused when written: %v\n%s", err, again)
		}
		if err == nil && (!reflect.DeepEqual(p, back) || !bytes.Equal(again, Encode(back))) {
			t.Fatalf("read %+v, then %+v", p, back)
		}
	})
}
