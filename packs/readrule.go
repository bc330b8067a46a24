package packs

import (
	"math"
	"slices"
	"time"
)

// stateClasses are what a state of a topic may count as.
var stateClasses = []string{"good", "bad", "pending", "restart", "failed", "not_applicable", "said_unknown", "other"}

func (r *reader) topic(n *node) Topic {
	r.shape(n, "Type Name IDType?", "State*", false)
	t := Topic{Type: r.topicType(n, "Type"), Name: r.label(n, "Name"),
		IDType: uint32(r.number(n, "IDType", 0, 0, math.MaxUint32))}
	if slices.ContainsFunc(r.pack.Topics, func(other Topic) bool { return other.Type == t.Type }) {
		r.fail(n, "a second topic has the type %d", t.Type)
	}
	states := n.all("State")
	if len(states) == 0 || len(states) > maxStates {
		r.fail(n, "Topic has %d states; allowed are 1 to %d", len(states), maxStates)
		return t
	}
	for _, child := range states {
		r.shape(child, "ID Name Class?", "", false)
		s := State{ID: r.state(child, "ID"), Name: r.label(child, "Name"),
			Class: r.choice(child, "Class", "other", stateClasses...)}
		if slices.ContainsFunc(t.States, func(other State) bool { return other.ID == s.ID }) {
			r.fail(child, "a second state has the ID %d", s.ID)
		}
		t.States = append(t.States, s)
	}
	return t
}

func (r *reader) topicType(n *node, attr string) uint32 {
	return uint32(r.number(n, attr, 0, minTopicType, maxTopicType))
}

func (r *reader) state(n *node, attr string) uint32 {
	return uint32(r.number(n, attr, 0, 0, math.MaxUint32))
}

func (r *reader) rule(n *node) Rule {
	r.shape(n, "ID Enabled? Interval Timeout", "Name? Parameter* ProbeAction Map", false)
	rule := Rule{ID: r.ofPack(n), Enabled: r.flag(n, "Enabled", true), Parameters: r.parameters(n),
		Interval: r.seconds(n, "Interval", minInterval, maxInterval),
		Timeout:  r.seconds(n, "Timeout", time.Second, maxTimeout)}
	for _, p := range rule.Parameters {
		if p.Name == "Enabled" || p.Name == "Interval" {
			r.fail(n, "a parameter of a rule can't be called %s: overrides mean the rule's own", p.Name)
		}
		if p.Required {
			r.fail(n, "%s is required: nobody gives a rule its parameters", p.Name)
		}
	}
	if probe := n.one("ProbeAction"); probe != nil {
		rule.Action = r.action(probe, rule.Parameters)
	}
	if outcome := n.one("Map"); outcome != nil {
		rule.Map = r.outcome(outcome, rule.Parameters)
	}
	return rule
}

// outcome reads which state an outcome of a rule is.
func (r *reader) outcome(n *node, parameters []Parameter) Map {
	r.shape(n, "TopicType TopicID?", "Exit* Match* Default Param*", false)
	m := Map{TopicType: r.topicType(n, "TopicType")}
	m.TopicID, _ = n.attr("TopicID")
	r.text(n, m.TopicID, parameters)
	for _, child := range n.children {
		switch child.name {
		case "Exit":
			r.shape(child, "Code State", "", false)
			code := int32(r.number(child, "Code", 0, math.MinInt32, math.MaxInt32))
			m.Cases = append(m.Cases, Case{Exit: &code, State: r.stateOf(child, m.TopicType)})
		case "Match":
			r.shape(child, "Pattern State", "", false)
			pattern, _ := child.attr("Pattern")
			r.pattern(child, pattern)
			m.Cases = append(m.Cases, Case{Match: pattern, State: r.stateOf(child, m.TopicType)})
		case "Default":
			r.shape(child, "State", "", false)
			m.Default = r.stateOf(child, m.TopicType)
		case "Param":
			r.shape(child, "Raises?", "", true)
			r.text(child, child.text, parameters, outputLine)
			m.Params = append(m.Params, Param{child.text, r.flag(child, "Raises", false)})
		}
	}
	if len(m.Cases) > maxCases || len(m.Params) > maxParams {
		r.fail(n, "%d cases and %d elements Param; allowed are %d and %d", len(m.Cases), len(m.Params), maxCases, maxParams)
	}
	return m
}

// outputLine is the first line of what a rule's action printed.
const outputLine = "$(Output.Line1)"

func (r *reader) text(n *node, text string, parameters []Parameter, others ...string) {
	if len(text) > maxArgBytes {
		r.fail(n, "%d bytes of text; allowed are %d", len(text), maxArgBytes)
	}
	r.references(n, text, parameters, others...)
}

// stateOf is a state of a topic, which must have it if the pack brings the topic.
func (r *reader) stateOf(n *node, topicType uint32) uint32 {
	id := r.state(n, "State")
	for _, t := range r.pack.Topics {
		if t.Type == topicType && !slices.ContainsFunc(t.States, func(s State) bool { return s.ID == id }) {
			r.fail(n, "topic %d has no state %d", topicType, id)
		}
	}
	return id
}

func (r *reader) baseline(n *node) Baseline {
	r.shape(n, "ID Name", "Item*", false)
	b := Baseline{ID: r.own(n), Name: r.label(n, "Name")}
	items := n.all("Item")
	if len(items) == 0 || len(items) > maxRules {
		r.fail(n, "Baseline has %d items; allowed are 1 to %d", len(items), maxRules)
		return b
	}
	for _, child := range items {
		r.shape(child, "Rule", "", false)
		rule, _ := child.attr("Rule")
		if r.id(child, "Rule", rule); slices.Contains(b.Rules, rule) {
			r.fail(child, "the rule %.80q is in the baseline twice", rule)
		}
		b.Rules = append(b.Rules, rule)
	}
	return b
}

func (r *reader) override(n *node) Override {
	r.shape(n, "Target Parameter Collection", "", true)
	o := Override{Collection: r.label(n, "Collection"), Value: n.text}
	target, _ := n.attr("Target")
	o.Target = r.id(n, "Target", target)
	if o.Parameter, _ = n.attr("Parameter"); !parameterForm.MatchString(o.Parameter) {
		r.fail(n, "Parameter %.40q is no name of a parameter", o.Parameter)
	}
	if len(o.Value) > maxLength {
		r.fail(n, "a value of %d bytes; allowed are %d", len(o.Value), maxLength)
	}
	same := func(other Override) bool {
		return other.Target == o.Target && other.Parameter == o.Parameter && other.Collection == o.Collection
	}
	if slices.ContainsFunc(r.pack.Overrides, same) {
		r.fail(n, "%s of %s is overridden for the collection twice", o.Parameter, o.Target)
	}
	return o
}
