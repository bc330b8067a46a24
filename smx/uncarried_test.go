package smx_test

import (
	"strings"
	"testing"

	"statewire/smx"
)

func TestWhatXMLCannotCarryIsNamedWithItsPlace(t *testing.T) {
	for _, tt := range []struct {
		text, name string
		place      int
		spelled    string
	}{
		{"", "", 0, ""},
		{"job\t\r\n ö\uFFFD\U0001F600", "", 0, "job\t\r\n ö\uFFFD\U0001F600"},
		{"job\x01", "U+0001", 4, "job<U+0001>"},
		{"öä\x00b", "U+0000", 3, "öä<U+0000>b"},
		{"\x1f\x1e", "U+001F", 1, "<U+001F><U+001E>"},
		{"a\uFFFE", "U+FFFE", 2, "a<U+FFFE>"},
		{"\uFFFF", "U+FFFF", 1, "<U+FFFF>"},
		{"ab\xff", "byte 0xFF", 3, "ab<byte 0xFF>"},
		{"cut\xc3", "byte 0xC3", 4, "cut<byte 0xC3>"},
		{"\xed\xa0\xbdx", "U+D83D", 1, "<U+D83D>x"},
		{"\xed\xbf\xbf", "U+DFFF", 1, "<U+DFFF>"},
		{"\xed\xa0", "byte 0xED", 1, "<byte 0xED><byte 0xA0>"},
		{"\xed\x9f\xbf", "", 0, "\ud7ff"},
		{strings.Repeat("x", 100) + "\x02", "U+0002", 101, strings.Repeat("x", 100) + "<U+0002>"},
	} {
		name, place := smx.Uncarried(tt.text)
		if name != tt.name || place != tt.place {
			t.Errorf("%q: %s at %d, want %s at %d", tt.text, name, place, tt.name, tt.place)
		}
		if got := smx.Spell(tt.text); got != tt.spelled {
			t.Errorf("%q is spelled %q, want %q", tt.text, got, tt.spelled)
		}
	}
}
