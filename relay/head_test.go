package relay

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestHeadFaults(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", ""},
		{"after empty lines", "\r\n\r\nPOST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", ""},
		{"one of the two alone", "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
		{"both", "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", codeAmbiguous},
		{"both in odd case", "POST /p HTTP/1.1\r\ncONTENT-lENGTH: 3\r\nTRANSFER-encoding: chunked\r\n\r\n", codeAmbiguous},
		{"a value that names the other", "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: Content-Length: 3\r\n\r\n", ""},
		{"a body that names the other", "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nContent-Length: 3\r\n", ""},
		{"bare line feed", "POST /p HTTP/1.1\r\nHost: x\nContent-Length: 3\r\n\r\n", codeLineEnd},
		{"bare line feed at the end", "POST /p HTTP/1.1\r\nHost: x\r\n\nabc", codeLineEnd},
		{"folded", "POST /p HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", codeFolded},
		{"not the request it was said to be", "GET /p HTTP/1.1\r\n\r\n", codePipelined},
		{"incomplete", "POST /p HTTP/1.1\r\nHo", codePipelined},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var h head
			for _, b := range []byte(tc.in) {
				h.feed([]byte{b})
			}
			if got := h.take("POST", "/p", -1, true); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// FuzzHead holds the head's own framing against that of net/http: whatever the bytes and however they are cut, each request that
// net/http reads is found again, and one with both lengths is found out.
func FuzzHead(f *testing.F) {
	f.Add([]byte("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOST /q HTTP/1.1\r\nHost: y\r\nContent-Length: 0\r\n\r\n"), uint8(7))
	f.Add([]byte("POST /p HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), uint8(1))
	f.Add([]byte("GET / HTTP/1.1\nHost: x\n\nPOST / HTTP/1.0\r\nContent-Length: 1\r\n\r\na"), uint8(200))
	f.Fuzz(func(t *testing.T, wire []byte, step uint8) {
		if len(wire) > maxHeaderBytes {
			return
		}
		var h head
		src := &feeding{wire: wire, step: int(step) + 1, head: &h}
		in := bufio.NewReader(src)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			length := req.ContentLength
			if len(req.TransferEncoding) > 0 {
				length = -1
			}
			fault := h.take(req.Method, req.RequestURI, length, true)
			if fault == codePipelined && !strings.ContainsAny(req.Method+req.RequestURI, " \t") {
				t.Fatalf("lost %s %s", req.Method, req.RequestURI)
			}
			body, err := io.ReadAll(req.Body)
			if err != nil || length < 0 || fault != "" {
				return // the relay closes, or goes on anew
			}
			if int64(len(body)) != length {
				t.Fatalf("%d bytes of %d", len(body), length)
			}
		}
	})
}

// feeding hands bytes out in steps, and to the head as they go.
type feeding struct {
	wire []byte
	step int
	head *head
}

func (f *feeding) Read(p []byte) (int, error) {
	if len(f.wire) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), f.step)], f.wire)
	f.head.feed(f.wire[:n])
	f.wire = f.wire[n:]
	return n, nil
}

func TestReceipts(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for range 1000 {
		id := newID()
		if len(id) != 36 || id[14] != '7' || !strings.Contains("89ab", id[19:20]) || seen[id] {
			t.Fatalf("id %q", id)
		}
		if id[:13] < last {
			t.Fatalf("%q comes before %q", id, last)
		}
		seen[id], last = true, id[:13]
	}
	if got, want := string(appendReceipt(nil, "r", "f.SMX", 10)), "{\"receipt\":\"r\",\"file\":\"f.SMX\",\"messages\":10}\n"; got != want {
		t.Errorf("%q", got)
	}
	if !bytes.Equal(appendReceipt([]byte("x"), "", "", 0)[:1], []byte("x")) {
		t.Error("does not append")
	}
}
