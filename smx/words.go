package smx

import "encoding/binary"

// word is a name that the scanner expects at some place, with what stands
// around it in the usual spelling (`<Topic`, ` Type="`), ready to be compared
// sixteen bytes at once. Names too long for that have no such form.
type word struct {
	name           string
	w0, m0, w1, m1 uint64
	n              int // length of the usual spelling
}

// vocabulary is the names that mean something at one place; all others there
// are unknown and ignored.
type vocabulary []word

// elements and attributes build vocabularies; a word's number is its index.
func elements(names ...string) vocabulary   { return newVocabulary("<", "", names) }
func attributes(names ...string) vocabulary { return newVocabulary(" ", `="`, names) }

func newVocabulary(before, after string, names []string) vocabulary {
	v := make(vocabulary, len(names))
	for i, name := range names {
		v[i] = newWord(before+name+after, name)
	}
	return v
}

func newWord(spelling, name string) word {
	w := word{name: name, w0: 1, n: len(spelling)} // w0 outside m0: never equal
	if len(spelling) > 16 {
		return w
	}
	var text, mask [16]byte
	copy(text[:], spelling)
	for i := range spelling {
		mask[i] = 0xFF
	}
	w.w0, w.m0 = binary.LittleEndian.Uint64(text[:]), binary.LittleEndian.Uint64(mask[:])
	w.w1, w.m1 = binary.LittleEndian.Uint64(text[8:]), binary.LittleEndian.Uint64(mask[8:])
	return w
}

// at reports whether the sixteen bytes x0, x1 begin with the usual spelling.
func (w *word) at(x0, x1 uint64) bool { return ((x0&w.m0)^w.w0)|((x1&w.m1)^w.w1) == 0 }

// find returns the number of a name, or other.
func (v vocabulary) find(name []byte) int {
	for i := range v {
		if v[i].name == string(name) {
			return i
		}
	}
	return other
}

// Answers of child beside the number of a word.
const (
	failed  = -3 // the document is refused
	closing = -2 // an end tag
	other   = -1 // an unknown element
)

// stop is the position that a scanning step returns when the document is
// refused; the reason is in Decoder.refusal.
const stop = -1

// ending is an element's end tag after its "</".
type ending struct{ word }

func end(name string) *ending { return &ending{newWord(name+">", name)} }
