package web

import (
	"regexp"
	"strings"
	"time"

	"statewire/internal/humanize"
)

// Label is a column's or parameter's name for people.
func Label(name string) string { return strings.ReplaceAll(name, "_", " ") }

// ISO is a time for machines.
func ISO(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ago says how long ago a time was; one that is to come stands as it is.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	if past := time.Since(t); past >= 0 {
		return humanize.Ago(past)
	}
	return humanize.Clock(t)
}

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
