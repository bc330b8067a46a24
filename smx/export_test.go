package smx

// What the tests see beyond what the package exports.
const (
	DeclarationUTF8 = declarationUTF8
	IndexStart      = indexStart
)

// Framed says whether the document that was decoded last was a relay-written file.
func Framed(d *Decoder) bool { return d.framed }
