package configs

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/spf13/viper"

	"statewire/internal/parse"
)

// Source names where Load looks, in the order in which a later one wins.
type Source struct {
	File  string            // path of the file; empty looks in the usual places
	Env   []string          // environment as NAME=value
	Flags map[string]string // values given on the command line, by key
	// Sections are the stages whose part is used; nil = all. What is wrong with a value of another part is no error: that
	// part stands at its defaults then. An unknown key is an error wherever it is.
	Sections []string
	// Read reads the file; nil is os.ReadFile.
	Read func(path string) ([]byte, error)
}

func (s Source) uses(section string) bool {
	return s.Sections == nil || slices.Contains(s.Sections, section)
}

// usualFiles are looked for when no file was named; the first that exists is read.
var usualFiles = [...]string{"configs/statewire.yaml", SystemFile}

// Paths are the files that Load looks for, in this order; it reads the first that exists.
func (s Source) Paths() []string {
	if s.File != "" {
		return []string{s.File}
	}
	return usualFiles[:]
}

// Value is one key of the effective configuration and where its value came from.
type Value struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // "default", "file PATH", "environment NAME" or "flag"
}

// Load reads the configuration. Any problem, all of them at once, is an *Error.
func Load(src Source) (Config, []Value, error) {
	cfg := Default()
	l := loader{known: slices.Sorted(maps.Keys(flatten(reflect.ValueOf(cfg), ""))), values: viper.New(),
		origins: map[string]string{}, secrets: map[string]parse.Secret{}}
	if err := l.readFile(src); err != nil {
		return cfg, nil, &Error{err}
	}
	l.readCredentials(src.Env)
	l.readEnv(src.Env)
	l.readFlags(src.Flags)
	if err := errors.Join(l.errs...); err != nil {
		return cfg, nil, &Error{err}
	}
	l.giveSecrets(&cfg)
	given := l.values.AllSettings()
	for _, part := range cfg.sections() {
		err := decode(&cfg, part.name, given[part.name])
		if src.uses(part.name) {
			l.errs = append(l.errs, err)
		}
	}
	if err := errors.Join(l.errs...); err != nil {
		return cfg, nil, &Error{err}
	}
	return cfg, append(values(cfg, l.origins), l.shownSecrets()...), nil
}

// loader gathers what the sources say. A later one wins.
type loader struct {
	known   []string          // every key, sorted
	values  *viper.Viper      // texts and lists of texts: what YAML makes of them is not asked
	origins map[string]string // by key
	secrets map[string]parse.Secret
	errs    []error
}

func (l *loader) set(key string, value any, origin string) {
	l.values.Set(key, value)
	l.origins[key] = origin
}

func (l *loader) readFlags(flags map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		if slices.Contains(l.known, key) {
			l.set(key, flags[key], "flag")
		} else if s, ok := secretOf(key); ok {
			l.errs = append(l.errs, s.refuse("flag", "everybody on this machine can read it in the list of processes"))
		} else {
			l.errs = append(l.errs, fmt.Errorf("flag: unknown key %.80s%s", key, l.suggest(key)))
		}
	}
}

// suggest names the known key that an unknown one most likely means, or all of its section.
func (l *loader) suggest(key string) string {
	if near := parse.Nearest(key, l.known); near != "" {
		return "; did you mean " + near + "?"
	}
	section, _, _ := strings.Cut(key, ".")
	same := slices.DeleteFunc(slices.Clone(l.known), func(k string) bool { return !strings.HasPrefix(k, section+".") })
	if len(same) == 0 {
		return "; `statewire config show` lists every key"
	}
	return "; known in " + section + ": " + strings.Join(same, ", ")
}

// flatten returns every leaf of a configuration struct by its dotted key.
func flatten(v reflect.Value, prefix string) map[string]reflect.Value {
	leaves := map[string]reflect.Value{}
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("mapstructure")
		if tag == "-" {
			continue // no key: a secret
		}
		key := prefix + tag
		if field := v.Field(i); field.Kind() == reflect.Struct {
			for k, leaf := range flatten(field, key+".") {
				leaves[k] = leaf
			}
		} else {
			leaves[key] = field
		}
	}
	return leaves
}

func values(cfg Config, origins map[string]string) []Value {
	var out []Value
	for key, leaf := range flatten(reflect.ValueOf(cfg), "") {
		origin := origins[key]
		if origin == "" {
			origin = "default"
		}
		out = append(out, Value{Key: key, Value: show(leaf), Origin: origin})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

func show(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return showDuration(x)
	case []string:
		return strings.Join(x, ",")
	default:
		return fmt.Sprint(x)
	}
}

// showDuration writes a duration without its zero parts: 15m, not 15m0s; long ones in days.
func showDuration(d time.Duration) string {
	if days := d / (24 * time.Hour); days > 14 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", days)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
