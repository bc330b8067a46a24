// Package reference does what smx.Decoder does by other means, so that tests can hold the decoder against it: whatever
// the decoder accepts and yields, this accepts and yields, too, and it refuses whatever the decoder refuses. It shares
// no code with the decoder beyond the shapes of a batch and the hash of a payload.
package reference

import (
	"strings"

	"statewire/smx"
)

// Decode does what smx.Decoder's Decode does: a tree of the document, then plain lookups in it. The error is an
// *smx.Error; below the level of syntax it doesn't know the line and column of a fault, and leaves them 0. What is set
// aside has no bytes.
func Decode(data []byte, into *smx.Batch) error {
	document, err := smx.ReadTree(data)
	if err != nil {
		return err
	}
	before := *into
	r := reader{into: into, size: document.ReportBytes, mismatch: mismatch(data)}
	if f := r.document(document.Root, document.Bytes); f != nil {
		*into = before
		return f
	}
	return nil
}

// mismatch tells whether the declaration of a document that has
// passed names another encoding than its bytes are in.
func mismatch(data []byte) bool {
	text, wide := string(data), strings.ContainsRune(string(data), 0)
	big := strings.HasPrefix(text, "\xFE\xFF") || strings.HasPrefix(text, "\x00")
	text = strings.ReplaceAll(text, "\x00", "")
	for _, mark := range []string{"\xEF\xBB\xBF", "\xFF\xFE", "\xFE\xFF"} {
		text = strings.TrimPrefix(text, mark)
	}
	if !strings.HasPrefix(text, "<?xml ") && !strings.HasPrefix(text, "<?xml\t") &&
		!strings.HasPrefix(text, "<?xml\n") && !strings.HasPrefix(text, "<?xml\r") {
		return false
	}
	text, _, _ = strings.Cut(text, "?>")
	_, label, found := strings.Cut(text, "encoding")
	if !found {
		return false
	}
	label = strings.ToUpper(strings.TrimLeft(label, " \t\r\n=\"'"))
	label = label[:strings.IndexAny(label, `"'`)]
	switch label {
	case "UTF-8":
		return wide
	case "UTF-16":
		return !wide
	case "UTF-16LE":
		return !wide || big
	}
	return !wide || !big
}
