package relay

import "bytes"

// maxHeaderBytes bounds a request's header.
const maxHeaderBytes = 16 << 10

// headEnd is the length of the head with its blank line, or -1.
func headEnd(buf []byte) int {
	end := -1
	if i := bytes.Index(buf, []byte("\n\r\n")); i >= 0 {
		end, buf = i+3, buf[:i+1]
	}
	if i := bytes.Index(buf, []byte("\n\n")); i >= 0 {
		end = i + 2
	}
	return end
}

// headFault finds spellings that another program might read differently: two programs that differ on where a request ends can be
// played off against each other. net/http hides most of them.
func headFault(buf []byte) (code string) {
	ends := bytes.Count(buf, []byte("\r\n"))
	switch {
	case bytes.Count(buf, []byte("\n")) != ends:
		return codeLineEnd
	case bytes.Contains(buf, []byte("\n ")), bytes.Contains(buf, []byte("\n\t")):
		return codeFolded
	case bytes.Count(buf, []byte("\r")) != ends, bytes.ContainsFunc(buf, isControl):
		return codeBadRequest
	}
	return lengthFault(buf)
}

func isControl(r rune) bool { return r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0x7f }

// lengthFault finds lengths that are said twice, and ways of saying them that nobody here reads.
func lengthFault(buf []byte) (code string) {
	if !hasField(buf, "transfer-encoding") {
		return ""
	}
	if hasField(buf, "content-length") {
		return codeAmbiguous
	}
	for line := range bytes.Lines(buf) {
		if value, ok := field(line, "transfer-encoding"); ok && !bytes.EqualFold(value, []byte("chunked")) {
			return codeTransfer
		}
	}
	return ""
}

// hasField says whether the head has the header; name is in lower case.
func hasField(buf []byte, name string) bool {
	for line := range bytes.Lines(buf) {
		if _, ok := field(line, name); ok {
			return true
		}
	}
	return false
}

// field is the value of a line that has the header.
func field(line []byte, name string) (value []byte, ok bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name)+1:]), true
}

func headDetail(code string) string {
	switch code {
	case codeAmbiguous:
		return "Content-Length and Transfer-Encoding exclude each other"
	case codeLineEnd:
		return "a header line ends in LF alone; lines end in CR LF"
	case codeFolded:
		return "a header is continued on the next line; that form is obsolete"
	case codeTransfer:
		return "the only transfer encoding taken is chunked"
	}
	return "the request is not well-formed HTTP/1.1"
}
