package policy

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"

	"github.com/beevik/etree"
)

// trust is whom to believe. A part of it that is there but cut short would lock the client out, so nothing unknown is
// skipped within its texts.
func (r *reader) trust(e *etree.Element) *Trust {
	t := &Trust{}
	if text := r.text(e, "CA"); text != nil {
		if t.CA = certificates(text); t.CA == nil {
			r.fail("CA of Trust is not certificates in PEM and nothing else")
		}
	}
	if t.Document = r.text(e, "Document"); t.Document != nil && !json.Valid(t.Document) {
		r.fail("Document of Trust is no JSON")
	}
	if t.CA == nil && t.Document == nil {
		r.fail("Trust has neither CA nor Document")
	}
	return t
}

// text is the text of an element without the white space around it; nil when there is no such element.
func (r *reader) text(parent *etree.Element, name string) []byte {
	if e := r.oneOf(parent, name); e != nil {
		return r.textOf(e, parent.Tag)
	}
	return nil
}

// textOf is the text of an element below another one; nil where it cannot be taken.
func (r *reader) textOf(e *etree.Element, parent string) []byte {
	var text strings.Builder
	for _, child := range e.Child {
		data, ok := child.(*etree.CharData)
		if !ok {
			r.fail("%s of %s holds more than text", e.Tag, parent)
			return nil
		}
		text.WriteString(data.Data)
	}
	trimmed := strings.TrimSpace(text.String())
	if n := len(trimmed); n == 0 || n > MaxTrustBytes {
		r.fail("%s of %s has %d bytes; allowed are 1 to %d", e.Tag, parent, n, MaxTrustBytes)
		return nil
	}
	return []byte(trimmed)
}

// certificates are those in a PEM text, written anew; nil when there is anything else in it.
func certificates(text []byte) []byte {
	var out bytes.Buffer
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 ||
			!bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN CERTIFICATE-----")) {
			return nil
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil
		}
		_ = pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes}) // a buffer takes everything
		text = rest
	}
	return bytes.TrimSpace(out.Bytes())
}
