package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/beevik/etree"

	"statewire/smx"
)

// Decode reads a policy document, well-formed by the same rules as a report. Elements and attributes that it doesn't
// know are ignored; what it knows and can't read refuses the whole document, for half a policy is not what the site
// asked for.
func Decode(data []byte) (Document, error) {
	root, err := read(data)
	if err != nil {
		return Document{}, fmt.Errorf("policy document: %w", err)
	}
	r := reader{root: root}
	p := r.policy()
	if err := errors.Join(r.faults...); err != nil {
		return Document{}, fmt.Errorf("policy document: %w", err)
	}
	return p, nil
}

// read is the document's root, once the strictness pass is through.
func read(data []byte) (*etree.Element, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%d bytes; allowed are %d", len(data), MaxBytes)
	}
	tree, err := smx.ReadTree(data)
	if err != nil {
		return nil, err
	}
	root := tree.Root
	if root.Space != "" || root.Tag != rootName {
		return nil, errors.New("the root element is no Policy")
	}
	given := valueOf(root, "Version")
	if given != version {
		return nil, fmt.Errorf("version %.20q; this program reads version %s", given, version)
	}
	return root, nil
}

// mostFaults is how many faults of a document are told: whoever wrote it chose how many there are.
const mostFaults = 10

// reader takes a policy from its tree and collects the first faults on the way.
type reader struct {
	root   *etree.Element
	faults []error
}

func (r *reader) fail(format string, args ...any) {
	if len(r.faults) >= mostFaults {
		return
	}
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

func (r *reader) policy() Document {
	var p Document
	client, err := smx.ParseClientID(valueOf(r.root, "Client"))
	if err != nil {
		r.fail("Client is missing or no client id")
	}
	p.Client = client
	if e := r.one("Resync"); e != nil {
		p.Resync = r.resync(e)
	}
	p.SendInterval = r.interval(r.one("SendInterval"), "Seconds")
	p.PolicyInterval = r.interval(r.one("PolicyInterval"), "Seconds")
	p.Topics = r.topics()
	p.Relay = r.address("Relay")
	p.Notifier = r.address("Notifier")
	if e := r.one("Trust"); e != nil {
		p.Trust = r.trust(e)
	}
	p.Tasks = r.tasks()
	return p
}

// one is the element of a name below the root, nil when there is none.
func (r *reader) one(name string) *etree.Element { return r.oneOf(r.root, name) }

func (r *reader) oneOf(parent *etree.Element, name string) *etree.Element {
	found := children(parent, name)
	if len(found) > 1 {
		r.fail("a second %s", name)
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func (r *reader) resync(e *etree.Element) *Resync {
	request := &Resync{
		Number:     uint32(r.number(e, "Number", 1, 1<<32-1)),
		NextSerial: r.number(e, "NextSerial", 1, smx.MaxSerial+1),
		Reason:     valueOf(e, "Reason"),
		Accepted:   r.flag(e, "Accepted"),
	}
	issued, err := time.Parse(time.RFC3339, valueOf(e, "Issued"))
	issued = issued.UTC()
	if err != nil || issued.Nanosecond() != 0 || issued.Year() < 1 || issued.Year() > 9999 {
		r.fail("Issued of Resync is no time of the form 2026-03-10T08:00:00Z")
	}
	request.Issued = issued
	return request
}

// number is an attribute that must be there, in decimal digits.
func (r *reader) number(e *etree.Element, name string, least, most uint64) uint64 {
	text := valueOf(e, name)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < least || n > most || text[0] == '+' {
		r.fail("%s of %s is missing or no number from %d to %d", name, e.Tag, least, most)
		return 0
	}
	return n
}

// interval is an attribute in whole seconds; 0 when there is no such element.
func (r *reader) interval(e *etree.Element, name string) time.Duration {
	if e == nil {
		return 0
	}
	return time.Duration(r.number(e, name, 1, uint64(MaxInterval/time.Second))) * time.Second
}

// flag is an attribute that is true or false, and false when the element hasn't it.
func (r *reader) flag(e *etree.Element, name string) bool {
	text, given := attribute(e, name)
	if given && text != "true" && text != "false" {
		r.fail("%s of %s is neither true nor false", name, e.Tag)
	}
	return text == "true"
}

func (r *reader) topics() []Topic {
	var topics []Topic
	for _, e := range children(r.root, "Topic") {
		t := Topic{Type: uint32(r.number(e, "Type", 0, 1<<32-1))}
		t.Paused = r.flag(e, "Paused")
		if _, given := attribute(e, "Interval"); given {
			t.Interval = r.interval(e, "Interval")
		}
		topics = append(topics, t)
	}
	if len(topics) > MaxTopics {
		r.fail("%d topics; allowed are %d", len(topics), MaxTopics)
	}
	slices.SortFunc(topics, func(a, b Topic) int { return cmp.Compare(a.Type, b.Type) })
	for i := 1; i < len(topics); i++ {
		if topics[i].Type == topics[i-1].Type {
			r.fail("topic type %d stands there twice", topics[i].Type)
		}
	}
	return topics
}

func (r *reader) address(name string) string {
	e := r.one(name)
	if e == nil {
		return ""
	}
	address := valueOf(e, "Address")
	if address == "" {
		r.fail("%s has no Address", name)
	}
	return address
}

// children are the elements of a name. One with a prefix has another name.
func children(e *etree.Element, name string) (found []*etree.Element) {
	for _, c := range e.ChildElements() {
		if c.Space == "" && c.Tag == name {
			found = append(found, c)
		}
	}
	return found
}

// attribute is an attribute's value, and whether the element has it. One with a prefix has another name.
func attribute(e *etree.Element, name string) (text string, given bool) {
	for _, a := range e.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value, true
		}
	}
	return "", false
}

// valueOf is an attribute's value, empty when the element hasn't it.
func valueOf(e *etree.Element, name string) string {
	text, _ := attribute(e, name)
	return text
}
