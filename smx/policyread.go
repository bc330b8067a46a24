package smx

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/beevik/etree"
)

// mostFaults is how many faults of a document are told: whoever wrote it chose how many there are.
const mostFaults = 10

// policyReader takes a policy from its tree and collects the first faults on the way.
type policyReader struct {
	root   *etree.Element
	faults []error
}

func (r *policyReader) fail(format string, args ...any) {
	if len(r.faults) >= mostFaults {
		return
	}
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

func (r *policyReader) policy() Policy {
	var p Policy
	var ok bool
	if p.Client, ok = parseClientID([]byte(valueOf(attribute(r.root, "Client")))); !ok {
		r.fail("Client is missing or no client id")
	}
	if e := r.one("Resync"); e != nil {
		p.Resync = r.resync(e)
	}
	p.SendInterval = r.interval(r.one("SendInterval"), "Seconds")
	p.PolicyInterval = r.interval(r.one("PolicyInterval"), "Seconds")
	p.Topics = r.topics()
	p.Relay = r.address("Relay")
	p.Notifier = r.address("Notifier")
	return p
}

// one is the element of a name below the root, nil when there is none.
func (r *policyReader) one(name string) *etree.Element {
	found := children(r.root, name)
	if len(found) > 1 {
		r.fail("a second %s", name)
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func (r *policyReader) resync(e *etree.Element) *ResyncRequest {
	request := &ResyncRequest{
		Number:     uint32(r.number(e, "Number", 1, 1<<32-1)),
		NextSerial: r.number(e, "NextSerial", 1, MaxSerial+1),
		Reason:     valueOf(attribute(e, "Reason")),
	}
	issued, err := time.Parse(time.RFC3339, valueOf(attribute(e, "Issued")))
	issued = issued.UTC()
	if err != nil || issued.Nanosecond() != 0 || issued.Year() < 1 || issued.Year() > 9999 {
		r.fail("Issued of Resync is no time of the form 2026-03-10T08:00:00Z")
	}
	request.Issued = issued
	return request
}

// number is an attribute that must be there, in decimal digits.
func (r *policyReader) number(e *etree.Element, name string, least, most uint64) uint64 {
	text := valueOf(attribute(e, name))
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < least || n > most || text[0] == '+' {
		r.fail("%s of %s is missing or no number from %d to %d", name, e.Tag, least, most)
		return 0
	}
	return n
}

// interval is an attribute in whole seconds; 0 when there is no such element.
func (r *policyReader) interval(e *etree.Element, name string) time.Duration {
	if e == nil {
		return 0
	}
	return time.Duration(r.number(e, name, 1, uint64(MaxPolicyInterval/time.Second))) * time.Second
}

func (r *policyReader) topics() []TopicPolicy {
	var topics []TopicPolicy
	for _, e := range children(r.root, "Topic") {
		t := TopicPolicy{Type: uint32(r.number(e, "Type", 0, 1<<32-1))}
		switch paused := attribute(e, "Paused"); {
		case paused == nil || *paused == "false":
		case *paused == "true":
			t.Paused = true
		default:
			r.fail("Paused of Topic is neither true nor false")
		}
		if attribute(e, "Interval") != nil {
			t.Interval = r.interval(e, "Interval")
		}
		topics = append(topics, t)
	}
	if len(topics) > MaxPolicyTopics {
		r.fail("%d topics; allowed are %d", len(topics), MaxPolicyTopics)
	}
	slices.SortFunc(topics, func(a, b TopicPolicy) int { return cmp.Compare(a.Type, b.Type) })
	for i := 1; i < len(topics); i++ {
		if topics[i].Type == topics[i-1].Type {
			r.fail("topic type %d stands there twice", topics[i].Type)
		}
	}
	return topics
}

func (r *policyReader) address(name string) string {
	e := r.one(name)
	if e == nil {
		return ""
	}
	address := valueOf(attribute(e, "Address"))
	if address == "" {
		r.fail("%s has no Address", name)
	}
	return address
}
