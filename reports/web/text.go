package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Number writes a whole number with separators.
func Number(v any) string {
	text := fmt.Sprint(v)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if fraction != "" {
		fraction = "." + fraction
	}
	var out strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(digit)
	}
	return sign + out.String() + fraction
}

// Percent writes a share, never rounding something to nothing or almost all to all.
func Percent(p float64) string {
	switch {
	case p > 0 && p < 1:
		return "<1 %"
	case p > 99 && p < 100:
		return ">99 %"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}

// Bytes writes a size.
func Bytes(n int64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, next
	}
	if unit == "B" || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, unit)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

// Label is a column's or parameter's name for people.
func Label(name string) string { return strings.ReplaceAll(name, "_", " ") }

// Clock is a time for people, in UTC.
func Clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + "Z"
}

// ISO is a time for machines.
func ISO(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Piece is a part of a sentence: words, or a command to be set off.
type Piece struct {
	Text    string
	Command bool
}

// Pieces splits a sentence at its backquotes.
func Pieces(text string) []Piece {
	var out []Piece
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			out = append(out, Piece{part, i%2 == 1})
		}
	}
	return out
}
