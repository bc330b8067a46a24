package tabular

import (
	"fmt"
	"math/big"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/chcol"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// Scan is where the driver puts a value of a column of this type.
func (t *Type) Scan(scanType reflect.Type) any {
	if t.name == "Map" {
		return &pairs{}
	}
	return reflect.New(scanType).Interface()
}

// pairs takes a map in its order, and as it is: with keys that come twice, with values that Go's maps refuse.
type pairs struct{ keys, values []any }

// Put adds a pair; the driver calls it.
func (p *pairs) Put(key, value any) {
	p.keys, p.values = append(p.keys, key), append(p.values, value)
}

// Get finds a value; the driver's interface asks for it.
func (p *pairs) Get(key any) (any, bool) {
	at := slices.Index(p.keys, key)
	if at < 0 {
		return nil, false
	}
	return p.values[at], true
}

// Keys yields the keys; the driver's interface asks for it.
func (p *pairs) Keys() <-chan any {
	out := make(chan any, len(p.keys))
	for _, key := range p.keys {
		out <- key
	}
	close(out)
	return out
}

// Value is what Scan's place holds, as a plain value.
func (t *Type) Value(place any) any { return t.plain(reflect.ValueOf(place)) }

func (t *Type) plain(v reflect.Value) any {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		if v.IsNil() {
			return nil
		}
		if pairs, ok := v.Interface().(*pairs); ok {
			return t.pairs(pairs)
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return nil
	}
	if special, ok := t.special(v.Interface()); ok {
		return special
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = t.element(i).plain(v.Index(i))
		}
		return out
	case reflect.Map:
		return t.object(v)
	}
	return plainKind(v)
}

// pairs is a map as the engine has it.
func (t *Type) pairs(p *pairs) Object {
	out := make(Object, len(p.keys))
	for i := range p.keys {
		out[i] = Field{Text(t.element(0).plain(reflect.ValueOf(p.keys[i]))), t.element(1).plain(reflect.ValueOf(p.values[i]))}
	}
	return out
}

// special knows the types of Go that stand for a type of the engine.
func (t *Type) special(v any) (any, bool) {
	switch x := v.(type) {
	case time.Time:
		return t.moment(x), true
	case time.Duration:
		return Number(clock(x)), true
	case uuid.UUID:
		return x.String(), true
	case decimal.Decimal:
		return Number(x.String()), true
	case big.Int:
		return Number(x.String()), true
	case net.IP:
		return t.address(x), true
	case chcol.Variant: // Dynamic is the same
		return ParseType(x.Type()).plain(reflect.ValueOf(x.Any())), true
	case chcol.JSON:
		return t.plain(reflect.ValueOf(x.NestedMap())), true
	case string:
		return t.text(x), true
	case fmt.Stringer:
		return x.String(), true
	}
	return nil, false
}

// moment puts right what the driver counts in nanoseconds and 64 bits: DateTime64 ends with the year 2299, they end in
// 2262. The type begins in 1900, so that a time before it is one after 2262.
func (t *Type) moment(at time.Time) any {
	switch {
	case t.name == "Date" || t.name == "Date32":
		return Date(at.Format(time.DateOnly))
	case t.name == "DateTime64" && at.Unix() < firstDateTime64:
		at = at.Add(1 << 62).Add(1 << 62).Add(1 << 62).Add(1 << 62)
	}
	return at.UTC()
}

// firstDateTime64 is 1900-01-01, in seconds.
const firstDateTime64 = -2_208_988_800

// clock writes a Time or Time64 as the engine does: hours may be more than 24, and the whole may be below zero.
func clock(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	text := fmt.Sprintf("%s%02d:%02d:%02d", sign, d/time.Hour, d/time.Minute%60, d/time.Second%60)
	if part := d % time.Second; part > 0 {
		text += strings.TrimRight(fmt.Sprintf(".%09d", part), "0")
	}
	return text
}

// address keeps an IPv4 address that was stored as an IPv6 one what it is.
func (t *Type) address(ip net.IP) string {
	if t.name == "IPv6" && ip.To4() != nil {
		return "::ffff:" + ip.String()
	}
	return ip.String()
}

// text is a string, or a number that the driver made one: it writes an interval as "-5 Days", though its type holds the
// unit.
func (t *Type) text(s string) any {
	if strings.HasPrefix(t.name, "Interval") {
		digits, _, _ := strings.Cut(s, " ")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return n
		}
	}
	return s
}

// object is a named tuple in the type's order, or a map in the order of its keys.
func (t *Type) object(v reflect.Value) any {
	out := make(Object, 0, v.Len())
	if t.name == "Tuple" && len(t.names) == v.Len() {
		for i, name := range t.names {
			out = append(out, Field{name, t.element(i).plain(v.MapIndex(reflect.ValueOf(name)))})
		}
		return out
	}
	for key, value := range v.Seq2() {
		out = append(out, Field{Text(t.element(0).plain(key)), t.element(1).plain(value)})
	}
	slices.SortFunc(out, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}
