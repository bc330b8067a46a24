package relay

import (
	"bufio"
	"bytes"
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
		{"both, the first behind a body's worth of headers", "POST /p HTTP/1.1\r\nContent-Length: 3\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n", codeAmbiguous},
		{"another coding", "POST /p HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", codeTransfer},
		{"a coding that looks like it", "POST /p HTTP/1.1\r\nTransfer-Encoding: \vchunked\r\n\r\n", codeBadRequest},
		{"a carriage return within a line", "POST /p HTTP/1.1\r\nHost: x\rContent-Length: 3\r\n\r\n", codeBadRequest},
		{"a zero byte", "POST /p HTTP/1.1\r\nHost: x\x00\r\n\r\n", codeBadRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			end := headEnd([]byte(tc.in))
			if end < 0 {
				t.Fatal("no end")
			}
			if got := headFault([]byte(tc.in)[:end]); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAHeadEndsWithItsBlankLine(t *testing.T) {
	for in, want := range map[string]int{
		"":                            -1,
		"POST /p HTTP/1.1\r\nHost":    -1,
		"POST /p HTTP/1.1\r\n":        -1,
		"POST /p HTTP/1.1\r\n\r\nabc": 20,
		"POST /p HTTP/1.1\n\nabc":     18,
		"POST /p HTTP/1.1\r\n\nabc":   19,
	} {
		if got := headEnd([]byte(in)); got != want {
			t.Errorf("%q ends at %d, not %d", in, got, want)
		}
	}
}

// FuzzHead holds the relay's idea of a head against that of net/http: where a head passes, both see its end at the same byte, and
// it says its length at most once.
func FuzzHead(f *testing.F) {
	f.Add([]byte("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOST /q HTTP/1.1\r\nHost: y\r\nContent-Length: 0\r\n\r\n"))
	f.Add([]byte("POST /p HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\nHost: x\n\nPOST / HTTP/1.0\r\nContent-Length: 1\r\n\r\na"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		end := headEnd(wire)
		if end < 0 || headFault(wire[:end]) != "" || wire[0] == '\r' || wire[0] == '\n' {
			return
		}
		in := bufio.NewReaderSize(bytes.NewReader(wire), max(16, len(wire)))
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if got := len(wire) - in.Buffered(); got != end {
			t.Fatalf("a head of %d bytes, of which net/http read %d", end, got)
		}
		chunked := len(req.TransferEncoding) > 0
		if chunked && (hasField(wire[:end], "content-length") || req.ContentLength >= 0) {
			t.Fatal("two lengths")
		}
	})
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
