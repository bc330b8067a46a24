package packs

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is something in a pack that is not allowed, with its place. Lines and columns count from 1; columns count
// characters.
type Fault struct {
	Line, Column int
	Text         string // what is wrong, and what is allowed
}

func (f Fault) String() string {
	return fmt.Sprintf("line %d, column %d: %s", f.Line, f.Column, f.Text)
}

// Faults are what is wrong with a pack: all of it, or the first twenty.
type Faults struct{ List []Fault }

func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// Limits of a pack.
const (
	maxTopics      = 100
	maxStates      = 100 // of a topic
	maxTasks       = 1000
	maxRules       = 1000
	maxBaselines   = 100
	maxOverrides   = 1000
	maxName        = 200 // characters of what people read
	maxID          = 254
	maxArgs        = 64
	maxArgBytes    = 4096
	maxCases       = 100
	maxParams      = 16
	maxScriptBytes = 256 << 10
	maxEnumValues  = 100

	// MaxOutput bounds what a task may say is kept of its output.
	MaxOutput     = 1 << 20
	defaultOutput = 4096

	maxTimeout  = 24 * time.Hour
	minInterval = time.Minute
	maxInterval = 30 * 24 * time.Hour

	// Topic types that packs may bring. Those below are Statewire's own.
	minTopicType = 20010
	maxTopicType = 29999
)

// Parse reads a pack that is not sealed. What is wrong with it is a *Faults.
func Parse(xml []byte) (*Pack, error) {
	root, err := readNodes(xml)
	if err != nil {
		return nil, err
	}
	r := reader{pack: &Pack{Hash: HashOf(xml)}, ids: map[string]bool{}}
	r.read(root)
	if len(r.list) > 0 {
		slices.SortStableFunc(r.list, func(a, b Fault) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, &Faults{r.list}
	}
	return r.pack, nil
}

// reader takes a pack from its elements and collects faults on the way.
type reader struct {
	faults
	pack *Pack
	ids  map[string]bool // of tasks, rules and baselines
}

func (r *reader) read(root *node) {
	if root.name != "ManagementPack" {
		r.fail(root, "the root element is %.40q; allowed is ManagementPack", root.name)
		return
	}
	r.shape(root, "Format", "Manifest Topics? Tasks? Rules? Baselines? Overrides?", false)
	if format, ok := root.attr("Format"); ok && format != "1" {
		r.fail(root, "Format %.20q; this version knows 1", format)
		return
	}
	if n := root.one("Manifest"); n != nil {
		r.manifest(n)
	}
	each(r, root, "Topics", "Topic", maxTopics, func(n *node) { r.pack.Topics = append(r.pack.Topics, r.topic(n)) })
	each(r, root, "Tasks", "Task", maxTasks, func(n *node) { r.pack.Tasks = append(r.pack.Tasks, r.task(n)) })
	each(r, root, "Rules", "Rule", maxRules, func(n *node) { r.pack.Rules = append(r.pack.Rules, r.rule(n)) })
	each(r, root, "Baselines", "Baseline", maxBaselines,
		func(n *node) { r.pack.Baselines = append(r.pack.Baselines, r.baseline(n)) })
	each(r, root, "Overrides", "Override", maxOverrides,
		func(n *node) { r.pack.Overrides = append(r.pack.Overrides, r.override(n)) })
	p := r.pack
	if len(p.Overrides) > 0 && len(p.Topics)+len(p.Tasks)+len(p.Rules)+len(p.Baselines) > 0 {
		r.fail(root.one("Overrides"), "overrides stand in a pack of their own, without topics, tasks, rules and baselines")
	}
}

// each reads the elements of a list.
func each(r *reader, root *node, list, name string, most int, read func(*node)) {
	n := root.one(list)
	if n == nil {
		return
	}
	r.shape(n, "", name+"*", false)
	found := n.all(name)
	if len(found) > most {
		r.fail(found[most], "%d elements %s; allowed are %d", len(found), name, most)
		return
	}
	for _, child := range found {
		read(child)
	}
}

func (r *reader) manifest(n *node) {
	r.shape(n, "", "Identity Name Applies?", false)
	if identity := n.one("Identity"); identity != nil {
		r.shape(identity, "", "ID Version", false)
		if id := identity.one("ID"); id != nil {
			r.shape(id, "", "", true)
			r.pack.ID = r.id(id, "ID", id.text)
		}
		if version := identity.one("Version"); version != nil {
			r.shape(version, "", "", true)
			var err error
			if r.pack.Version, err = ParseVersion(version.text); err != nil {
				r.fail(version, "%v", err)
			}
		}
	}
	r.pack.Name = r.words(n)
	if applies := n.one("Applies"); applies != nil {
		r.shape(applies, "OS? MinAgent?", "", false)
		r.pack.OS = r.choice(applies, "OS", "", "linux", "windows", "darwin")
		r.pack.MinAgent, _ = applies.attr("MinAgent")
		if !agentForm.MatchString(r.pack.MinAgent) {
			r.fail(applies, "MinAgent %.20q is no version, such as 1.4.0", r.pack.MinAgent)
		}
	}
}

var (
	idForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._]*$`)
	agentForm = regexp.MustCompile(`^([0-9]{1,9}(\.[0-9]{1,9}){0,3})?$`)
)

// id is a text that must be an id.
func (r *reader) id(n *node, what, text string) string {
	if len(text) > maxID || !idForm.MatchString(text) {
		r.fail(n, "%s %.40q is no id: a letter or a digit, then letters, digits, . and _, at most %d", what, text, maxID)
	}
	return text
}

// own is the ID of an element, which no other has.
func (r *reader) own(n *node) string {
	text, ok := n.attr("ID")
	if !ok {
		return ""
	}
	if r.id(n, "ID", text); r.ids[text] {
		r.fail(n, "a second element has the ID %.80q", text)
	}
	r.ids[text] = true
	return text
}

// ofPack is the ID of a task or a rule, which begins with the pack's.
func (r *reader) ofPack(n *node) string {
	id := r.own(n)
	if id != "" && !strings.HasPrefix(id, r.pack.ID+".") {
		r.fail(n, "ID %.80q does not begin with the pack's: %s.", id, r.pack.ID)
	}
	return id
}

// words is the text of the element Name in an element.
func (r *reader) words(n *node) string {
	name := n.one("Name")
	if name == nil {
		return ""
	}
	r.shape(name, "", "", true)
	text := strings.Join(strings.Fields(name.text), " ")
	if text == "" || len([]rune(text)) > maxName {
		r.fail(name, "Name has %d characters; allowed are 1 to %d", len([]rune(text)), maxName)
	}
	return text
}

// label is an attribute for people.
func (r *reader) label(n *node, attr string) string {
	text, ok := n.attr(attr)
	if ok && (strings.TrimSpace(text) == "" || len([]rune(text)) > maxName) {
		r.fail(n, "%s has %d characters; allowed are 1 to %d", attr, len([]rune(text)), maxName)
	}
	return text
}

// choice is an attribute that is one of some words; missing is what it is without one.
func (r *reader) choice(n *node, attr, missing string, words ...string) string {
	text, ok := n.attr(attr)
	if !ok {
		return missing
	}
	if !slices.Contains(words, text) {
		r.fail(n, "%s %.40q of %s; allowed are %s", attr, text, n.name, strings.Join(words, ", "))
	}
	return text
}

func (r *reader) flag(n *node, attr string, missing bool) bool {
	return r.choice(n, attr, strconv.FormatBool(missing), "true", "false") == "true"
}

// number is an attribute in digits; missing is what it is without one.
func (r *reader) number(n *node, attr string, missing, least, most int64) int64 {
	text, ok := n.attr(attr)
	if !ok {
		return missing
	}
	value, err := wholeNumber(text)
	if err != nil || value < least || value > most {
		r.fail(n, "%s %.40q of %s is no whole number from %d to %d", attr, text, n.name, least, most)
	}
	return value
}

func (r *reader) seconds(n *node, attr string, least, most time.Duration) time.Duration {
	second := int64(time.Second)
	return time.Duration(r.number(n, attr, 0, int64(least)/second, int64(most)/second)) * time.Second
}

// wholeNumber reads a number in its one form.
func wholeNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && strconv.FormatInt(n, 10) != text {
		err = strconv.ErrSyntax
	}
	return n, err
}
