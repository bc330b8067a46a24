// Package parse reads what people and their tools write: durations, sizes, times, addresses, clients, the query of an
// address. There is one function for each kind. It takes all of the text or says what is allowed, and never a part of
// it.
package parse

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// plainNumber is a number as people write it. strconv also takes hexadecimal, infinite and underlined ones.
var plainNumber = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// Float reads a finite number.
func Float(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !plainNumber.MatchString(text) {
		return 0, fmt.Errorf("%.40q is not a number; allowed are values like 12, 0.5 or 1e6", text)
	}
	return f, nil
}

// Int reads a whole number.
func Int(text string) (int, error) {
	text = strings.TrimSpace(text)
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a whole number; allowed are values like 4 or 1000", text)
	}
	return n, nil
}

// Duration reads 15m, 900s, 72h, and 400d for days. A number without a unit has no meaning and is refused, except 0.
func Duration(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := Float(days)
		if err == nil && math.Abs(n) <= 36_500 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	} else if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	return 0, fmt.Errorf("%.40q is not a duration; allowed are values like 900s, 15m, 72h or 400d", text)
}

// maxUnits bounds the number before the unit of a size.
const maxUnits = 1 << 20

// Size reads 64MiB, 512KiB, 2GiB or a number of bytes.
func Size(text string) (int64, error) {
	text = strings.TrimSpace(text)
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := Float(strings.TrimSpace(number))
			if err != nil || n < 0 || n > maxUnits {
				return 0, wrongSize(text)
			}
			return int64(n * float64(int64(1)<<(10*(i+1)))), nil
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, wrongSize(text)
	}
	return n, nil
}

func wrongSize(text string) error {
	return fmt.Errorf("%.40q is not a size; allowed are values like 512KiB, 64MiB or 2GiB", text)
}

// timeForms are how a time may be written; without a zone it is UTC.
var timeForms = [...]string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05",
	"2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// Time reads RFC 3339 with or without a zone, or a bare date. The result is in UTC.
func Time(text string) (time.Time, error) {
	for _, form := range timeForms {
		if t, err := time.Parse(form, strings.TrimSpace(text)); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("has to be a time such as 2025-01-31T08:00:00Z")
}
