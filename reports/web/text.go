package web

import (
	"fmt"
	"regexp"
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

// Piece is a part of a sentence: words, a time that stays on one line, or a command to be set off.
type Piece struct {
	Text    string
	Clock   bool
	Command bool
	Block   bool // a command at the end of the sentence, on a line of its own
}

// pieceForm finds commands between backquotes, and times.
var pieceForm = regexp.MustCompile("`([^`]*)`|\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ")

// Pieces splits a sentence at its commands and times.
func Pieces(text string) []Piece {
	var out []Piece
	from := 0
	for _, at := range pieceForm.FindAllStringSubmatchIndex(text, -1) {
		if at[0] > from {
			out = append(out, Piece{Text: text[from:at[0]]})
		}
		if from = at[1]; at[2] >= 0 {
			out = append(out, Piece{Text: text[at[2]:at[3]], Command: true, Block: from == len(text)})
		} else {
			out = append(out, Piece{Text: text[at[0]:at[1]], Clock: true})
		}
	}
	if from < len(text) {
		out = append(out, Piece{Text: text[from:]})
	}
	return out
}
