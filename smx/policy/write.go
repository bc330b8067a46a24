package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"statewire/smx"
)

// Encode writes a policy as the document that a client polls. Equal policies give equal bytes. Topics are written by
// type; intervals are whole seconds, rounded up; characters that XML cannot carry become U+FFFD. It doesn't look at
// limits.
func Encode(p Document) []byte {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalAttrVal: true, CanonicalText: true}
	doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	root := doc.CreateElement(rootName)
	root.CreateAttr("Version", version)
	root.CreateAttr("Client", p.Client.String())
	if r := p.Resync; r != nil {
		e := root.CreateElement("Resync")
		e.CreateAttr("Number", strconv.FormatUint(uint64(r.Number), 10))
		e.CreateAttr("NextSerial", strconv.FormatUint(r.NextSerial, 10))
		if r.Accepted {
			e.CreateAttr("Accepted", "true")
		}
		e.CreateAttr("Issued", r.Issued.UTC().Format(time.RFC3339))
		e.CreateAttr("Reason", smx.Carried(r.Reason))
	}
	addInterval(root, "SendInterval", p.SendInterval)
	addInterval(root, "PolicyInterval", p.PolicyInterval)
	topics := slices.SortedFunc(slices.Values(p.Topics), func(a, b Topic) int { return cmp.Compare(a.Type, b.Type) })
	for _, t := range topics {
		e := root.CreateElement("Topic")
		e.CreateAttr("Type", strconv.FormatUint(uint64(t.Type), 10))
		if t.Paused {
			e.CreateAttr("Paused", "true")
		}
		if t.Interval > 0 {
			e.CreateAttr("Interval", wholeSeconds(t.Interval))
		}
	}
	addAddress(root, "Relay", p.Relay)
	addAddress(root, "Notifier", p.Notifier)
	if p.Trust != nil {
		e := root.CreateElement("Trust")
		addText(e, "CA", p.Trust.CA)
		addText(e, "Document", p.Trust.Document)
	}
	for _, envelope := range p.Tasks {
		addText(root, "Task", envelope)
	}
	doc.Indent(2)
	var b strings.Builder
	_, _ = doc.WriteTo(&b) // a builder takes everything
	return []byte(b.String())
}

func addInterval(root *etree.Element, name string, d time.Duration) {
	if d > 0 {
		root.CreateElement(name).CreateAttr("Seconds", wholeSeconds(d))
	}
}

func addAddress(root *etree.Element, name, address string) {
	if address != "" {
		root.CreateElement(name).CreateAttr("Address", smx.Carried(address))
	}
}

func addText(parent *etree.Element, name string, text []byte) {
	if text != nil {
		parent.CreateElement(name).SetText(smx.Carried(string(text)))
	}
}

func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
