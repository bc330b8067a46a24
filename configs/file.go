package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readFile takes the first file that exists.
func (l *loader) readFile(src Source) error {
	read := src.Read
	if read == nil {
		read = os.ReadFile
	}
	for _, path := range src.Paths() {
		data, err := read(path)
		if errors.Is(err, fs.ErrNotExist) && src.File == "" {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the configuration file: %w", err)
		}
		if err := l.readYAML(path, data); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	return nil
}

// readYAML takes what a file says. A key without a value says nothing, as one whose line is commented out.
func (l *loader) readYAML(path string, data []byte) error {
	root, err := oneDocument(data)
	if err != nil || root == nil {
		return err
	}
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a configuration is sections with keys, as in `relay:` and below it `  listen: \":8443\"`",
			root.Line)
	}
	found := map[string]entry{}
	if err := flattenFile(root, "", found); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		e, section := found[key], slices.ContainsFunc(l.known, func(k string) bool { return strings.HasPrefix(k, key+".") })
		secret, isSecret := secretOf(key)
		switch {
		case isSecret:
			l.errs = append(l.errs, secret.refuse(fmt.Sprintf("%s: line %d", path, e.line), "others read this file"))
		case section && e.value != nil:
			l.errs = append(l.errs, fmt.Errorf("%s: line %d: %s is a section; write its keys below it", path, e.line, key))
		case !section && !slices.Contains(l.known, key):
			l.errs = append(l.errs, fmt.Errorf("%s: line %d: unknown key %.80s%s", path, e.line, key, l.suggest(key)))
		case isMapping(e.value):
			l.errs = append(l.errs, fmt.Errorf("%s: line %d: %s is a value; nothing stands below it", path, e.line, key))
		case e.value != nil:
			l.set(key, e.value, "file "+path)
		}
	}
	return nil
}

func isMapping(value any) bool { _, ok := value.(map[string]any); return ok }

// entry is what the file says of one key: a text, a list of them, or nil for nothing.
type entry struct {
	value any
	line  int
}

// oneDocument is the root of the only YAML document; nil for an empty file.
func oneDocument(data []byte) (*yaml.Node, error) {
	documents := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := documents.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	switch err := documents.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("a second YAML document begins at line %d; a configuration is one: remove the line ---",
			second.Line)
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if root := first.Content[0]; root.Tag != "!!null" {
		return root, nil
	}
	return nil, nil
}

// mostLevels is how deep the keys of a file are followed; none is known so deep.
const mostLevels = 4

// flattenFile adds what a mapping says to found, by dotted keys in lower case.
func flattenFile(mapping *yaml.Node, prefix string, found map[string]entry) error {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		name, value := mapping.Content[i], followed(mapping.Content[i+1])
		key := prefix + strings.ToLower(name.Value)
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 && strings.Count(key, ".") < mostLevels {
			if err := flattenFile(value, key+".", found); err != nil {
				return err
			}
			continue
		}
		if value.Kind == yaml.MappingNode && len(value.Content) == 0 && prefix == "" {
			value = &yaml.Node{} // a section without keys
		}
		if before, twice := found[key]; twice {
			return fmt.Errorf("line %d: key %.80s is given again, after line %d", name.Line, key, before.line)
		}
		found[key] = entry{textOf(value), name.Line}
	}
	return nil
}

// textOf is the value as it was written: reading it is up to the key. Of a number in a file nothing else is taken than
// of the same number in the environment.
func textOf(value *yaml.Node) any {
	switch {
	case value.Kind == yaml.MappingNode:
		return map[string]any{}
	case value.Kind == yaml.ScalarNode && value.Tag != "!!null":
		return value.Value
	case value.Kind == yaml.SequenceNode:
		list := []any{}
		for _, one := range value.Content {
			list = append(list, textOf(followed(one)))
		}
		return list
	}
	return nil
}

// followed is what an alias stands for.
func followed(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
