package relay

import (
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// plainRequest reads the heads that clients really send, with one allocation: POST or GET, HTTP/1.1, a path without escapes, at most one
// Content-Length. It reads them as http.ReadRequest does, and leaves everything else to that.
type plainRequest struct {
	req    http.Request // used again for each request of a connection
	url    url.URL
	header http.Header
	values []string
	body   fixedBody
}

// parse reads a head that headFault has passed, with its blank line; false leaves it to http.ReadRequest.
func (r *plainRequest) parse(buf []byte) (*http.Request, bool) {
	head := string(buf[:len(buf)-len("\r\n\r\n")])
	line, rest, more := strings.Cut(head, "\r\n")
	r.forget()
	r.req = http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.header, URL: &r.url, Body: http.NoBody}
	if !more || !r.requestLine(line) {
		return nil, false
	}
	for more {
		line, rest, more = strings.Cut(rest, "\r\n")
		if !r.field(line) {
			return nil, false
		}
	}
	return &r.req, len(r.header["Host"]) == 1 && r.finish()
}

// forget lets go of the last request.
func (r *plainRequest) forget() {
	if r.header == nil {
		r.header = http.Header{}
	}
	clear(r.header)
	clear(r.values)
	r.values, r.url, r.req, r.body = r.values[:0], url.URL{}, http.Request{}, fixedBody{}
}

// requestLine takes the method and the path.
func (r *plainRequest) requestLine(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	uri, proto, _ := strings.Cut(rest, " ")
	if method != http.MethodPost && method != http.MethodGet || proto != "HTTP/1.1" {
		return false
	}
	path, query, asked := strings.Cut(uri, "?")
	if !plainPath(path) || asked && query == "" || strings.ContainsFunc(query, isControl) {
		return false
	}
	r.req.Method, r.req.RequestURI = method, uri
	r.url.Path, r.url.RawQuery = path, query
	return true
}

// plainPath says whether a path means itself.
func plainPath(path string) bool {
	if len(path) == 0 || path[0] != '/' || len(path) > 1 && path[1] == '/' {
		return false
	}
	for i := range len(path) {
		if b := path[i]; !isLetter(b) && !isDigit(b) && !strings.ContainsRune("/-._~", rune(b)) {
			return false
		}
	}
	return true
}

// field takes one header line.
func (r *plainRequest) field(line string) bool {
	name, value, ok := strings.Cut(line, ":")
	canonical, plain := plainName(name)
	if !ok || !plain {
		return false
	}
	if !canonical {
		name = textproto.CanonicalMIMEHeaderKey(name)
	}
	value = strings.Trim(value, " \t")
	if had, again := r.header[name]; again {
		r.header[name] = append(had, value)
		return true
	}
	r.values = append(r.values, value)
	n := len(r.values)
	r.header[name] = r.values[n-1 : n : n]
	return true
}

// plainName says whether a header's name has nothing but letters, digits and dashes, and whether it is spelled as in http.Header.
func plainName(name string) (canonical, plain bool) {
	canonical, upper := true, true
	for i := range len(name) {
		b := name[i]
		switch {
		case isLetter(b):
			canonical = canonical && (b < 'a') == upper
		case !isDigit(b) && b != '-':
			return false, false
		}
		upper = b == '-'
	}
	return canonical, len(name) > 0
}

// finish takes from the fields what concerns the connection and the body.
func (r *plainRequest) finish() bool {
	r.req.Host = r.header["Host"][0]
	delete(r.header, "Host")
	switch options := r.header["Connection"]; {
	case len(options) == 0 || len(options) == 1 && strings.EqualFold(options[0], "keep-alive"):
	case len(options) == 1 && strings.EqualFold(options[0], "close"):
		r.req.Close = true
	default:
		return false
	}
	if len(r.header["Transfer-Encoding"])+len(r.header["Trailer"])+len(r.header["Pragma"]) > 0 {
		return false
	}
	return r.length(r.header["Content-Length"])
}

// length takes the body's length.
func (r *plainRequest) length(said []string) bool {
	if len(said) == 0 {
		return true
	}
	if len(said) > 1 || len(said[0]) == 0 || len(said[0]) > 18 {
		return false
	}
	for i := range len(said[0]) {
		if !isDigit(said[0][i]) {
			return false
		}
	}
	n, err := strconv.ParseInt(said[0], 10, 64)
	if r.req.ContentLength = n; n > 0 {
		r.body.left = n
		r.req.Body = &r.body
	}
	return err == nil
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
func isDigit(b byte) bool  { return '0' <= b && b <= '9' }

// fixedBody is a body of known length.
type fixedBody struct {
	src  io.Reader
	left int64
}

// Read returns io.EOF with the last byte, and io.ErrUnexpectedEOF when the connection ends before it.
func (b *fixedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// Close does nothing: what was not read stays on the connection.
func (b *fixedBody) Close() error { return nil }
