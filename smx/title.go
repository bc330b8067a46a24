package smx

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// MaxTitle bounds a topic's title, in characters.
const MaxTitle = 300

// Title is what a message calls its topic. It is no part of the message: none is stored with it, and the same message
// without it is a repeat.
type Title struct {
	Row  int // of the batch's messages
	Text string
}

// CheckTitle says why a text is no title of a topic. One has 1 to MaxTitle characters, something to see among them, and
// none that moves what is written around it: control characters, ends of lines and paragraphs, marks of direction.
func CheckTitle(title string) error {
	place, seen := 0, false
	for _, r := range title {
		place++
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return fmt.Errorf("character %d of the title is U+%04X, a control character; leave it out", place, r)
		}
		seen = seen || r != ' ' && unicode.IsPrint(r)
	}
	switch {
	case !utf8.ValidString(title):
		return fmt.Errorf("the title is no UTF-8")
	case place > MaxTitle:
		return fmt.Errorf("the title has %d characters; allowed are %d", place, MaxTitle)
	case !seen:
		return fmt.Errorf("the title has nothing to see")
	}
	return nil
}

// titleOf is what row i calls its topic, or empty.
func (b *Batch) titleOf(i int) string {
	at, found := slices.BinarySearchFunc(b.Titles, i, func(t Title, row int) int { return t.Row - row })
	if !found {
		return ""
	}
	return b.Titles[at].Text
}

// plainTitle says of most titles, without looking closer, that CheckTitle takes them.
func plainTitle(b []byte) bool {
	for _, c := range b {
		if c <= ' ' && c != ' ' || c >= 0x7F {
			return false
		}
	}
	return len(b) <= MaxTitle && b[0] != ' '
}

// title keeps what the message that becomes the next row calls its topic. What is no title is counted; the message
// stays.
func (d *Decoder) title(v value) {
	b := d.into
	switch text := d.bytes(v); {
	case len(text) == 0:
	case plainTitle(text) || CheckTitle(string(text)) == nil:
		b.Titles = append(b.Titles, Title{len(b.Serial), b.arena.string(text)})
	default:
		d.report.row.BadTitles++
	}
}
