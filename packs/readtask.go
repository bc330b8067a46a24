package packs

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"time"
)

func (r *reader) task(n *node) Task {
	r.shape(n, "ID Accessibility Class Timeout Repeatable? Remotable?",
		"Name Parameter* ProbeAction? WriteAction? Output?", false)
	t := Task{ID: r.ofPack(n), Name: r.words(n), OutputLimit: defaultOutput,
		Public:     r.choice(n, "Accessibility", "", "Public", "Internal") == "Public",
		Class:      Class(r.choice(n, "Class", "", "benign", "disruptive", "destructive")),
		Timeout:    r.seconds(n, "Timeout", time.Second, maxTimeout),
		Repeatable: r.flag(n, "Repeatable", false),
		Remotable:  r.flag(n, "Remotable", true),
		Parameters: r.parameters(n),
	}
	probe, write := n.one("ProbeAction"), n.one("WriteAction")
	if (probe == nil) == (write == nil) {
		r.fail(n, "Task needs a ProbeAction or a WriteAction, and not both")
	} else if t.Probe = probe != nil; t.Probe {
		t.Action = r.action(probe, t.Parameters)
	} else {
		t.Action = r.action(write, t.Parameters)
	}
	if output := n.one("Output"); output != nil {
		r.shape(output, "Type? Limit?", "", false)
		r.choice(output, "Type", "text", "text")
		t.OutputLimit = int(r.number(output, "Limit", defaultOutput, 1, MaxOutput))
	}
	return t
}

// action is what a task or a rule does.
func (r *reader) action(n *node, parameters []Parameter) (a Action) {
	r.shape(n, "", "BuiltIn? Command? Script?", false)
	if len(n.children) != 1 {
		r.fail(n, "%s needs exactly one of BuiltIn, Command, Script", n.name)
		return a
	}
	switch child := n.children[0]; child.name {
	case "BuiltIn":
		r.shape(child, "Name", "", false)
		a.BuiltIn = r.choice(child, "Name", "", BuiltIns[:]...)
	case "Command":
		a.Command = r.command(child, parameters)
	case "Script":
		a.Script = r.script(child)
	}
	return a
}

func (r *reader) command(n *node, parameters []Parameter) *Command {
	r.shape(n, "Path", "Arg*", false)
	c := &Command{Path: r.absolute(n, "Path")}
	args := n.all("Arg")
	if len(args) > maxArgs {
		r.fail(args[maxArgs], "%d elements Arg; allowed are %d", len(args), maxArgs)
		return c
	}
	for _, arg := range args {
		r.shape(arg, "", "", true)
		if len(arg.text) > maxArgBytes {
			r.fail(arg, "Arg has %d bytes; allowed are %d", len(arg.text), maxArgBytes)
		}
		r.references(arg, arg.text, parameters)
		c.Args = append(c.Args, arg.text)
	}
	return c
}

var (
	drive = regexp.MustCompile(`^[A-Za-z]:\\`)
	batch = regexp.MustCompile(`(?i)\.(bat|cmd)[ .]*$`)
)

// absolute is the path of a program.
func (r *reader) absolute(n *node, attr string) string {
	path, ok := n.attr(attr)
	if !ok {
		return ""
	}
	windows := drive.MatchString(path)
	if !windows && !strings.HasPrefix(path, "/") || r.pack.OS != "" && windows != (r.pack.OS == "windows") {
		r.fail(n, "%s %.80q is not absolute; allowed are paths such as /usr/bin/find, or C:\\Windows\\… in a pack for "+
			"windows", attr, path)
	}
	if batch.MatchString(path) {
		r.fail(n, "%s %.80q is a batch file: a shell would read its arguments; write a Script", attr, path)
	}
	if strings.Contains(path, "$(") {
		r.fail(n, "%s %.80q: parameters are for arguments, not for programs", attr, path)
	}
	return path
}

func (r *reader) script(n *node) *Script {
	r.shape(n, "Interpreter Encoding?", "", true)
	s := &Script{Interpreter: r.absolute(n, "Interpreter"), Text: []byte(n.text)}
	if r.choice(n, "Encoding", "plain", "plain", "base64") == "base64" {
		var err error
		if s.Text, err = base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(n.text), "")); err != nil {
			r.fail(n, "Script is not base64, as its Encoding says")
		}
	}
	if len(s.Text) == 0 || len(s.Text) > maxScriptBytes {
		r.fail(n, "Script has %d bytes; allowed are 1 to %d", len(s.Text), maxScriptBytes)
	}
	return s
}

// reference is where a value goes.
var reference = regexp.MustCompile(`\$\(([A-Za-z][A-Za-z0-9_]*)\)`)

// references checks what $( stands for in a text.
func (r *reader) references(n *node, text string, parameters []Parameter, others ...string) {
	for _, other := range others {
		text = strings.ReplaceAll(text, other, "")
	}
	for _, found := range reference.FindAllStringSubmatch(text, -1) {
		i := slices.IndexFunc(parameters, func(p Parameter) bool { return p.Name == found[1] })
		if i < 0 {
			r.fail(n, "%.80s names no parameter", found[0])
		} else if p := parameters[i]; !p.HasDefault && !p.Required {
			r.fail(n, "%.80s may have no value: its parameter needs a Default, or Required=\"true\"", found[0])
		}
	}
	if strings.Contains(reference.ReplaceAllString(text, ""), "$(") {
		r.fail(n, "$( begins the name of a parameter, such as $(KeepDays); allowed are letters, digits and _ in it")
	}
}
