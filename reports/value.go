package reports

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// plain turns what the driver scanned into the few kinds of values the writers know.
func plain(v reflect.Value) any {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		if n, ok := v.Interface().(*big.Int); ok {
			return n.String()
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case time.Time:
		return x.UTC()
	case uuid.UUID:
		return x.String()
	case big.Int:
		return x.String()
	case net.IP:
		return x.String()
	}
	return plainKind(v)
}

func plainKind(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Bool:
		return v.Bool()
	case v.Kind() == reflect.String:
		return v.String()
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return v.Uint()
	case v.Kind() == reflect.Float32:
		short, err := strconv.ParseFloat(strconv.FormatFloat(v.Float(), 'g', -1, 32), 64)
		if err != nil {
			return v.Float()
		}
		return short
	case v.Kind() == reflect.Float64:
		return v.Float()
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Array:
		return plainSlice(v)
	case v.Kind() == reflect.Map:
		out := make(map[string]any, v.Len())
		for key, value := range v.Seq2() {
			out[textOf(plain(key))] = plain(value)
		}
		return out
	}
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprint(v.Interface())
}

func plainSlice(v reflect.Value) any {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return s.String()
	}
	out := make([]any, v.Len())
	for i := range out {
		out[i] = plain(v.Index(i))
	}
	return out
}

// textOf is a value as text: times RFC 3339 in UTC, lists and maps as JSON, NULL as nothing.
func textOf(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case uint64:
		return strconv.FormatUint(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case time.Time:
		return timeText(x)
	}
	return string(jsonOf(v))
}

// timeText leaves out a fraction of zero, and the clock of the zero time, which stands for "never".
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.999999Z")
}

// jsonOf is a value as JSON. Numbers stay numbers up to 64 bits; what JSON has no number for becomes null.
func jsonOf(v any) []byte {
	switch x := v.(type) {
	case time.Time:
		v = timeText(x)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return []byte("null")
		}
	case []any:
		parts := make([]string, len(x))
		for i, item := range x {
			parts[i] = string(jsonOf(item))
		}
		return []byte("[" + strings.Join(parts, ",") + "]")
	case map[string]any:
		out := make(map[string]json.RawMessage, len(x))
		for key, item := range x {
			out[key] = jsonOf(item)
		}
		v = out
	case string:
		v = strings.ToValidUTF8(x, "\ufffd")
	}
	text, err := json.Marshal(v) // also writes <, > and & as \u003c…, harmless inside a page
	if err != nil {
		return []byte("null")
	}
	return text
}
