package tabular

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Number is a number that no type of Go holds exactly, in its digits: a Decimal, an Int256. JSON writes it as a text.
type Number string

// Date is a day without a clock, as 2026-01-31.
type Date string

// Object is named values in their order: a named tuple, a map.
type Object []Field

// Plain turns a value of Go into one of the kinds that the writers know: nil, bool, string, int64, uint64, float64,
// Number, json.Number, time.Time in UTC, Date, []any, Object. Other values stay: JSON writes them as they write
// themselves.
func Plain(v any) any {
	switch x := v.(type) {
	case nil, bool, string, int64, uint64, float64, Number, json.Number, Date, []any, Object, json.RawMessage:
		return x
	case time.Time:
		return x.UTC()
	case json.Marshaler:
		return v
	case fmt.Stringer:
		if at := reflect.ValueOf(v); at.Kind() == reflect.Pointer && at.IsNil() {
			return nil
		}
		return x.String()
	case encoding.TextMarshaler:
		return v
	}
	return plainKind(reflect.ValueOf(v))
}

func plainKind(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return nil
	case v.Kind() == reflect.Pointer && v.Elem().Kind() != reflect.Struct || v.Type() == reflect.TypeFor[*time.Time]():
		return Plain(v.Elem().Interface())
	case v.Kind() == reflect.Bool:
		return v.Bool()
	case v.Kind() == reflect.String:
		return v.String()
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return v.Uint()
	case v.Kind() == reflect.Float32:
		return shortFloat(v.Float())
	case v.Kind() == reflect.Float64:
		return v.Float()
	}
	return v.Interface()
}

// shortFloat is a Float32 by its own digits: 0.1, not 0.10000000149011612.
func shortFloat(f float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', -1, 32), 64)
	if err != nil {
		return f
	}
	return short
}

// Text is a plain value as text: times RFC 3339 in UTC, lists and objects as JSON, NULL as nothing.
func Text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case Number:
		return string(x)
	case Date:
		return string(x)
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case uint64:
		return strconv.FormatUint(x, 10)
	case float64:
		return floatText(x)
	case time.Time:
		return TimeText(x)
	}
	return jsonText(v)
}

// jsonText is a value's JSON; of a JSON text what stands between its quotes.
func jsonText(v any) string {
	text := jsonOf(v)
	var bare string
	if json.Unmarshal(text, &bare) == nil {
		return bare
	}
	return string(text)
}

// floatText writes a number without an exponent where people would, as JSON does; what is none as the engine does.
func floatText(f float64) string {
	size := math.Abs(f)
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64)), "+")
	case size != 0 && (size < 1e-7 || size >= 1e21):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// TimeText leaves out a fraction of zero, and everything of the zero time, which stands for "never".
func TimeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.999999999Z")
}

// number tells a value that is a number, and so never a formula.
func number(v any) bool {
	switch v.(type) {
	case int64, uint64, float64, Number, json.Number:
		return true
	}
	return false
}

// Int is a plain value as a number that fits an int; 0 for what is no number.
func Int(v any) int {
	switch x := v.(type) {
	case uint64:
		return int(x)
	case int64:
		return int(x)
	case float64:
		return int(x)
	}
	return 0
}

// Float is a plain value as a number with its fraction; 0 for what is no number.
func Float(v any) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	return float64(Int(v))
}
