package smx

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

const (
	// MaxPolicyBytes bounds a policy document.
	MaxPolicyBytes = 256 << 10
	// MaxPolicyTopics bounds the topic types that a policy speaks of.
	MaxPolicyTopics = 1000
	// MaxPolicyInterval bounds every interval of a policy.
	MaxPolicyInterval = 366 * 24 * time.Hour
)

const (
	policyRoot    = "Policy"
	policyVersion = "1"
)

// EncodePolicy writes a policy as the document that a client polls. Equal policies give equal bytes. Topics are written by type;
// intervals are whole seconds, rounded up; characters that XML cannot carry become U+FFFD. It doesn't look at limits.
func EncodePolicy(p Policy) []byte {
	doc := etree.NewDocument()
	doc.WriteSettings = etree.WriteSettings{CanonicalAttrVal: true, CanonicalText: true}
	doc.CreateProcInst("xml", `version="1.0" encoding="UTF-8"`)
	root := doc.CreateElement(policyRoot)
	root.CreateAttr("Version", policyVersion)
	root.CreateAttr("Client", p.Client.String())
	if r := p.Resync; r != nil {
		e := root.CreateElement("Resync")
		e.CreateAttr("Number", strconv.FormatUint(uint64(r.Number), 10))
		e.CreateAttr("NextSerial", strconv.FormatUint(r.NextSerial, 10))
		e.CreateAttr("Issued", r.Issued.UTC().Format(time.RFC3339))
		e.CreateAttr("Reason", plainText(r.Reason))
	}
	addInterval(root, "SendInterval", p.SendInterval)
	addInterval(root, "PolicyInterval", p.PolicyInterval)
	topics := slices.SortedFunc(slices.Values(p.Topics), func(a, b TopicPolicy) int { return cmp.Compare(a.Type, b.Type) })
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
		root.CreateElement(name).CreateAttr("Address", plainText(address))
	}
}

func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// plainText is s without what XML cannot carry.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if !isXMLCharacter(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// DecodePolicy reads a policy document, well-formed by the same rules as a report. Elements and attributes that it doesn't know
// are ignored; what it knows and can't read refuses the whole document, for half a policy is not what the site asked for.
func DecodePolicy(data []byte) (Policy, error) {
	root, err := policyTree(data)
	if err != nil {
		return Policy{}, fmt.Errorf("policy document: %w", err)
	}
	r := policyReader{root: root}
	p := r.policy()
	if err := errors.Join(r.faults...); err != nil {
		return Policy{}, fmt.Errorf("policy document: %w", err)
	}
	return p, nil
}

// policyTree is the document's root, once the strictness pass is through.
func policyTree(data []byte) (*etree.Element, error) {
	if len(data) > MaxPolicyBytes {
		return nil, fmt.Errorf("%d bytes; allowed are %d", len(data), MaxPolicyBytes)
	}
	text, err := referenceText(data)
	if err != nil {
		return nil, err
	}
	s := strict{text: text}
	if s.check(); s.err != nil {
		var c place
		c.count([]byte(text[:s.err.at]))
		return nil, &Error{Code: s.err.code, Detail: s.err.detail, Line: c.line + 1, Column: c.column + 1, Offset: int64(s.err.at)}
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromString(s.out.String()); err != nil {
		return nil, err
	}
	root := doc.Root()
	if root == nil || !named(root, policyRoot) {
		return nil, errors.New("the root element is no Policy")
	}
	if version := valueOf(attribute(root, "Version")); version != policyVersion {
		return nil, fmt.Errorf("version %.20q; this program reads version %s", version, policyVersion)
	}
	return root, nil
}
