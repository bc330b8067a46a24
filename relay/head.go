package relay

import "bytes"

// maxHeaderBytes bounds a request's header; the HTTP server adds 4 KiB of its own before it answers 431.
const maxHeaderBytes = 16 << 10

// head follows the requests on one connection and keeps the bytes of the present one's head: the HTTP server drops
// Content-Length where Transfer-Encoding stands beside it, and two programs that read such a pair differently can be played off
// against each other.
type head struct {
	buf  []byte
	skip int64 // bytes of a body still to pass
	lost bool  // inside a body of unknown length, until next
}

// feed takes the bytes as they come off the wire.
func (h *head) feed(p []byte) {
	if h.skip > 0 {
		n := min(h.skip, int64(len(p)))
		h.skip -= n
		p = p[n:]
	}
	if h.lost || len(p) == 0 || len(h.buf)+len(p) > 4*maxHeaderBytes {
		return
	}
	h.buf = append(h.buf, p...)
}

// partial says whether a head has begun and nobody has taken it.
func (h *head) partial() bool { return len(h.buf) > 0 }

// atEnd says whether the body of the request that was taken last has come in whole.
func (h *head) atEnd() bool { return h.skip == 0 && !h.lost }

// next begins anew after a body of unknown length. A request that was sent together with that body lacks its first bytes
// then; take sees that.
func (h *head) next() {
	if h.lost {
		h.lost, h.buf = false, h.buf[:0]
	}
}

// take ends the head that begins with the given request line's start and goes on behind its body; length is -1 when nobody
// knows it. It returns the code of the head's fault, or nothing.
func (h *head) take(method, uri string, length int64, checkLength bool) string {
	buf := h.buf
	for len(buf) > 0 && (buf[0] == '\r' || buf[0] == '\n') {
		buf = buf[1:]
	}
	end := headEnd(buf)
	if end < 0 || !startsWith(buf[:end], method, uri) {
		h.lost = true
		return codePipelined
	}
	fault := headFault(buf[:end], checkLength)
	h.pass(buf[end:], length)
	return fault
}

// pass goes on behind the body, of which some bytes may have come with the head, and even some of the next head.
func (h *head) pass(rest []byte, length int64) {
	if length < 0 {
		h.lost, h.buf = true, h.buf[:0]
		return
	}
	if int64(len(rest)) > length {
		h.buf = append(h.buf[:0], rest[length:]...)
		return
	}
	h.skip = length - int64(len(rest))
	h.buf = h.buf[:0]
}

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

func startsWith(buf []byte, method, uri string) bool {
	n := len(method)
	return len(buf) > n+1+len(uri) && string(buf[:n]) == method && buf[n] == ' ' && string(buf[n+1:n+1+len(uri)]) == uri
}

// headFault finds spellings that another program might read differently.
func headFault(buf []byte, checkLength bool) string {
	switch {
	case bytes.Count(buf, []byte("\n")) != bytes.Count(buf, []byte("\r\n")):
		return codeLineEnd
	case bytes.Contains(buf, []byte("\n ")), bytes.Contains(buf, []byte("\n\t")):
		return codeFolded
	case checkLength && hasField(buf, "content-length") && hasField(buf, "transfer-encoding"):
		return codeAmbiguous
	}
	return ""
}

// hasField says whether the head has the header; name is in lower case.
func hasField(buf []byte, name string) bool {
	for line := range bytes.Lines(buf) {
		field, _, ok := bytes.Cut(line, []byte(":"))
		if ok && len(field) == len(name) && bytes.EqualFold(field, []byte(name)) {
			return true
		}
	}
	return false
}
