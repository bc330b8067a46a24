package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// Source names where Load looks, in the order in which a later one wins.
type Source struct {
	File  string            // path of the file; empty looks in the usual places
	Env   []string          // environment as NAME=value
	Flags map[string]string // values given on the command line, by key
	// Sections are the stages whose part is used; nil = all. What is wrong with a value of another part is no error: that part
	// stands at its defaults then. An unknown key is an error wherever it is.
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
	known := flatten(reflect.ValueOf(cfg), "")
	v := viper.New()
	origins, errs := map[string]string{}, []error{}
	path, err := readFile(v, src)
	if err != nil {
		return cfg, nil, &Error{err}
	}
	for _, key := range sortedKeys(v.AllKeys()) {
		if _, ok := known[key]; !ok {
			errs = append(errs, fmt.Errorf("%s: unknown key %s%s", path, key, suggest(key, known)))
			continue
		}
		origins[key] = "file " + path
	}
	errs = append(errs, fromEnv(v, src.Env, known, origins)...)
	for key, value := range src.Flags {
		if _, ok := known[key]; !ok {
			errs = append(errs, fmt.Errorf("flag: unknown key %s%s", key, suggest(key, known)))
			continue
		}
		v.Set(key, value)
		origins[key] = "flag"
	}
	if len(errs) > 0 {
		return cfg, nil, &Error{errors.Join(errs...)}
	}
	for _, part := range cfg.sections() {
		err := decode(&cfg, part.name, v.AllSettings())
		if src.uses(part.name) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return cfg, nil, &Error{err}
	}
	return cfg, values(cfg, origins), nil
}

// decode reads one section into cfg and checks it. A section with a problem stays as it was.
func decode(cfg *Config, section string, settings map[string]any) error {
	next := *cfg
	reader, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: &next, WeaklyTypedInput: true, DecodeHook: decodeHook(),
	})
	if err == nil {
		err = reader.Decode(map[string]any{section: settings[section]})
	}
	if err != nil {
		return plain(err)
	}
	for _, s := range next.sections() {
		if s.name != section {
			continue
		}
		if err := s.part.Validate(); err != nil {
			return err
		}
	}
	*cfg = next
	return nil
}

// readFile merges the configuration file into v and returns the path it read, empty for none.
func readFile(v *viper.Viper, src Source) (string, error) {
	read := src.Read
	if read == nil {
		read = os.ReadFile
	}
	for _, p := range src.Paths() {
		data, err := read(p)
		if errors.Is(err, fs.ErrNotExist) && src.File == "" {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read the configuration file: %w", err)
		}
		v.SetConfigType("yaml")
		if err := v.ReadConfig(bytes.NewReader(data)); err != nil {
			return "", fmt.Errorf("%s: %w", p, err)
		}
		return p, nil
	}
	return "", nil
}

// EnvName is the environment variable of a key: relay.listen is STATEWIRE_RELAY_LISTEN.
func EnvName(key string) string {
	return "STATEWIRE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func fromEnv(v *viper.Viper, env []string, known map[string]reflect.Value, origins map[string]string) []error {
	byName := make(map[string]string, len(known))
	for key := range known {
		byName[EnvName(key)] = key
	}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if key, ok := byName[name]; ok {
			v.Set(key, value)
			origins[key] = "environment " + name
		}
	}
	return nil
}

// flatten returns every leaf of a configuration struct by its dotted key.
func flatten(v reflect.Value, prefix string) map[string]reflect.Value {
	leaves := map[string]reflect.Value{}
	for i := range v.NumField() {
		key := prefix + v.Type().Field(i).Tag.Get("mapstructure")
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

func decodeHook() mapstructure.DecodeHookFunc {
	return mapstructure.ComposeDecodeHookFunc(decodeDuration, decodeSize, decodeNumber, mapstructure.StringToSliceHookFunc(","))
}

// decodeNumber reads a whole number.
func decodeNumber(_, to reflect.Type, data any) (any, error) {
	if to.Kind() != reflect.Int {
		return data, nil
	}
	text := strings.TrimSpace(fmt.Sprint(data))
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a whole number; allowed are values like 4 or 1000", text)
	}
	return n, nil
}

// decodeDuration reads 15m, 900s, 72h, and 400d for days; a number without a unit has no meaning and is refused.
func decodeDuration(_, to reflect.Type, data any) (any, error) {
	if to != reflect.TypeFor[time.Duration]() {
		return data, nil
	}
	if _, ok := data.(time.Duration); ok {
		return data, nil
	}
	text := strings.TrimSpace(fmt.Sprint(data))
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err == nil && n >= -36500 && n <= 36500 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	} else if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	return nil, fmt.Errorf("%q is not a duration; allowed are values like 900s, 15m, 72h or 400d", text)
}

// decodeSize reads 64MiB, 512KiB or 2GiB into a number of bytes.
func decodeSize(from, to reflect.Type, data any) (any, error) {
	if from.Kind() != reflect.String || to.Kind() != reflect.Int64 || to == reflect.TypeFor[time.Duration]() {
		return data, nil
	}
	text := strings.TrimSpace(data.(string))
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil || n < 0 || n > 1<<20 {
				return nil, fmt.Errorf("%q is not a size; allowed are values like 512KiB, 64MiB or 2GiB", text)
			}
			return int64(n * float64(int64(1)<<(10*(i+1)))), nil
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	return nil, fmt.Errorf("%q is not a size; allowed are values like 512KiB, 64MiB or 2GiB", text)
}

// plain rewrites the decoder's report to one line per problem, each with its key and value.
func plain(err error) error {
	lines := strings.Split(err.Error(), "\n")
	var errs []error
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "decoding failed") {
			continue
		}
		line = strings.NewReplacer("error decoding ", "", "'", "").Replace(strings.TrimPrefix(line, "* "))
		errs = append(errs, errors.New(line))
	}
	if len(errs) == 0 {
		return err
	}
	return errors.Join(errs...)
}

// suggest names the known key that an unknown one most likely means.
func suggest(key string, known map[string]reflect.Value) string {
	section, _, _ := strings.Cut(key, ".")
	var same []string
	for k := range known {
		if strings.HasPrefix(k, section+".") {
			same = append(same, k)
		}
	}
	if len(same) == 0 {
		return "; `statewire config show` lists every key"
	}
	slices.Sort(same)
	return "; known in " + section + ": " + strings.Join(same, ", ")
}

func sortedKeys(keys []string) []string {
	slices.Sort(keys)
	return keys
}
