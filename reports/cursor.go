package reports

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"statewire/internal/tabular"
)

// cursor is where a page ended. It holds values only, checked again against the header's types when it comes
// back: a made-up cursor can shift a page, never change a query.
type cursor struct {
	Query string   `json:"q"` // which report with which parameters it belongs to
	After []string `json:"a"` // the order columns of the last row
}

// queryKey tells one report with its parameters from another.
func (r *Report) queryKey(values map[string]string) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00", r.Name, r.orderBy())
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !reserved(name) && !slices.Contains(r.hidden, name) && !r.isPickedParam(name) {
			fmt.Fprintf(sum, "%s=%q\x00", name, values[name])
		}
	}
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:9])
}

func (r *Report) encodeCursor(values map[string]string, after []string) string {
	text, err := json.Marshal(cursor{r.queryKey(values), after})
	if err != nil {
		return "" // strings always marshal
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// decodeCursor returns the values to continue after; nil for the first page.
func (r *Report) decodeCursor(text string, values map[string]string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	wrong := &ParamError{r.Name, "cursor",
		"doesn't belong to this report with these parameters: leave it out to start again"}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > 4*maxParamBytes {
		return nil, wrong
	}
	var c cursor
	if json.Unmarshal(raw, &c) != nil || c.Query != r.queryKey(values) || len(c.After) != len(r.Order) ||
		len(c.After) == 0 {
		return nil, wrong
	}
	for i, o := range r.Order {
		if c.After[i], err = parseAs(o.Type, c.After[i]); err != nil {
			return nil, wrong
		}
	}
	return c.After, nil
}

// addCursor sets the after_ parameters; a self-paging query needs them on its first page too.
func (r *Report) addCursor(params map[string]string, after []string) {
	if r.selfPaging {
		params["after"] = "0"
		if after != nil {
			params["after"] = "1"
		}
	}
	if after == nil && !r.selfPaging {
		return
	}
	for i, o := range r.Order {
		if after != nil {
			params["after_"+o.Column] = after[i]
		} else {
			params["after_"+o.Column] = zeroOf(o.Type)
		}
	}
}

func zeroOf(typ string) string {
	switch {
	case typ == "String":
		return ""
	case typ == "UUID":
		return "00000000-0000-0000-0000-000000000000"
	case typ == "Bool":
		return "false"
	case strings.HasPrefix(typ, "Date"):
		zero, err := parseTime(typ, "1970-01-01")
		if err == nil {
			return zero
		}
	}
	return "0"
}

// cursorText is a row's value the way parseAs reads it back.
func cursorText(typ string, v any) (string, error) {
	if v == nil {
		return "", fmt.Errorf("order column of type %s is NULL: a page can't continue after it", typ)
	}
	if t, ok := v.(time.Time); ok {
		return parseTime(typ, t.UTC().Format(time.RFC3339Nano))
	}
	return parseAs(typ, tabular.Text(v))
}
