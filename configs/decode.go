package configs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"

	"statewire/internal/parse"
)

// decode reads one section into cfg and checks it. A section with a problem stays as it was.
func decode(cfg *Config, section string, given any) error {
	next := *cfg
	reader, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: &next, WeaklyTypedInput: true, DecodeHook: decodeHook(),
	})
	if err == nil {
		err = reader.Decode(map[string]any{section: given})
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

// decodeHook reads each value from its text: what the file, the environment and the flags say is read in one way.
func decodeHook() mapstructure.DecodeHookFunc { return decodeValue }

func decodeValue(_, to reflect.Type, data any) (any, error) {
	switch {
	case to.Kind() == reflect.Struct:
		return data, nil
	case to.Kind() == reflect.Slice:
		return decodeList(data)
	}
	text, err := scalar(data)
	if err != nil {
		return nil, err
	}
	switch {
	case to == reflect.TypeFor[time.Duration]():
		return parse.Duration(text)
	case to.Kind() == reflect.Int:
		return parse.Int(text)
	case to.Kind() == reflect.Int64:
		return parse.Size(text)
	}
	return text, nil
}

// decodeList reads a list, or a text with commas. Blanks around an element do not count.
func decodeList(data any) ([]string, error) {
	given, ok := data.([]any)
	if !ok {
		text, err := scalar(data)
		if err != nil || strings.TrimSpace(text) == "" {
			return nil, err
		}
		for part := range strings.SplitSeq(text, ",") {
			given = append(given, part)
		}
	}
	out := []string{}
	for i, one := range given {
		text, err := scalar(one)
		if text = strings.TrimSpace(text); err != nil || text == "" {
			return nil, fmt.Errorf("entry %d of the list is no text", i+1)
		}
		out = append(out, text)
	}
	return out, nil
}

// scalar is the text of a single value.
func scalar(data any) (string, error) {
	switch x := data.(type) {
	case nil, []any, map[string]any:
		return "", errors.New("is no single value")
	case string:
		return x, nil
	}
	return fmt.Sprint(data), nil
}

// plain rewrites the decoder's report to one line per problem, each with its key and value.
func plain(err error) error {
	var errs []error
	for line := range strings.SplitSeq(err.Error(), "\n") {
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
