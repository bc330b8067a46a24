package relay

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

// answerCase is one input and, in the golden file, its answer.
type answerCase struct {
	name    string // the rule, with its number in the catalogue
	request string
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func zstded(s string) string {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	defer w.Close()
	return string(w.EncodeAll([]byte(s), nil))
}

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// wide is the text in UTF-16, little end first, with a byte order mark.
func wide(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func chunked(body string) string {
	return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

func request(line string, headers ...string) string {
	return line + "\r\nHost: site\r\n" + strings.Join(append(headers, "", ""), "\r\n")
}

func http2xx() []answerCase {
	good := report(testClient, 2)
	return []answerCase{
		{"a report is taken", post(good)},
		{"C2.27 gzip", post(gzipped(good), "Content-Encoding: gzip")},
		{"C2.27 zstd", post(zstded(good), "Content-Encoding: zstd")},
		{"C2.28 identity is no encoding", post(good, "Content-Encoding: identity")},
		{"chunked", request("POST /mp/reports HTTP/1.1", "Transfer-Encoding: chunked") + chunked(good)},
		{"C2.28 media type with parameters", post(good, `Content-Type: text/xml; charset="utf-8"`)},
		{"C3.37 UTF-16 with byte order mark", post(wide(strings.Replace(good, "UTF-8", "UTF-16", 1)))},
		{"C3.38 declared UTF-16, sent as UTF-8", post(strings.Replace(good, "UTF-8", "UTF-16", 1))},
		{"C3.42 UTF-8 byte order mark", post("\xef\xbb\xbf" + good)},
		{"C2.31 the digest fits", post(good, "Content-Digest: sha-256=:"+digestOf(good)+":")},
		{"C2.31 the older header fits", post(good, "Digest: md5=AAAA, SHA-256="+digestOf(good))},
		{"C4.63 a bad record is set aside, its report taken",
			post(strings.Replace(good, `SerialNumber="2"`, `SerialNumber="+7"`, 1))},
		{"C3.60 a wrongly cased attribute is unknown", post(strings.ReplaceAll(good, "SerialNumber", "serialnumber"))},
		{"Expect: 100-continue", post(good, "Expect: 100-continue")},
	}
}

func http4xx() []answerCase {
	good := report(testClient, 2)
	large := strings.Repeat("a", 8<<20)
	return []answerCase{
		{"C2.17 Content-Length and Transfer-Encoding", request("POST /mp/reports HTTP/1.1", "Content-Length: 5",
			"Transfer-Encoding: chunked") + chunked(good)},
		{"C2.17 in the other order and case", request("POST /mp/reports HTTP/1.1", "TRANSFER-ENCODING: chunked",
			"content-length: 5") + chunked(good)},
		{"C2.17 on HTTP/1.0", request("POST /mp/reports HTTP/1.0", "Content-Length: 5", "Transfer-Encoding: chunked") +
			chunked(good)},
		{"C2.18 two lengths", request("POST /mp/reports HTTP/1.1", "Content-Length: 5", "Content-Length: 6") + "abcdef"},
		{"C2.18 negative length", request("POST /mp/reports HTTP/1.1", "Content-Length: -5") + "abcdef"},
		{"C2.18 length that is no number", request("POST /mp/reports HTTP/1.1", "Content-Length: five") + "abcdef"},
		{"C2.19 bad chunk size", request("POST /mp/reports HTTP/1.1", "Transfer-Encoding: chunked") +
			"xyz\r\nabc\r\n0\r\n\r\n"},
		{"C2.19 20 KB chunk extension", request("POST /mp/reports HTTP/1.1", "Transfer-Encoding: chunked") + "3;" +
			strings.Repeat("e", 20<<10) + "\r\nabc\r\n0\r\n\r\n"},
		{"C2.20 unknown transfer encoding", request("POST /mp/reports HTTP/1.1", "Transfer-Encoding: xchunked") + "abc"},
		{"C2.21 lines that end in LF alone", "POST /mp/reports HTTP/1.1\nHost: site\nContent-Length: 3\n\nabc"},
		{"C2.21 folded header", request("POST /mp/reports HTTP/1.1", "X-Note: one", " two", "Content-Length: 3") + "abc"},
		{"C2.22 declared too large, from the header alone",
			request("POST /mp/reports HTTP/1.1", fmt.Sprintf("Content-Length: %d", 8<<20+1))},
		{"C2.22 UTF-16 that says so may be twice as large",
			request("POST /mp/reports HTTP/1.1", "Content-Type: text/xml; charset=utf-16",
				fmt.Sprintf("Content-Length: %d", 16<<20+3))},
		{"C2.23 chunked too large", request("POST /mp/reports HTTP/1.1", "Transfer-Encoding: chunked") + chunked(large+"a")},
		{"C2.25 empty body", request("POST /mp/reports HTTP/1.1", "Content-Length: 0")},
		{"C2.25 no body", request("POST /mp/reports HTTP/1.1")},
		{"C2.25 empty chunked body", request("POST /mp/reports HTTP/1.1", "Transfer-Encoding: chunked") + "0\r\n\r\n"},
		{"C2.25 empty after decompression", post(gzipped(""), "Content-Encoding: gzip")},
		{"C2.26 64 KB header", request("POST /mp/reports HTTP/1.1", "X-Large: "+strings.Repeat("x", 64<<10))},
		{"C2.26 10,000 headers", request("POST /mp/reports HTTP/1.1", strings.TrimSuffix(strings.Repeat("X: y\r\n", 10_000),
			"\r\n"))},
		{"C2.27 gzip bomb by ratio", post(gzipped(strings.Repeat(" ", 7<<20)), "Content-Encoding: gzip")},
		{"C2.27 zstd bomb by ratio", post(zstded(strings.Repeat(" ", 7<<20)), "Content-Encoding: zstd")},
		{"C2.27 not gzip", post(good, "Content-Encoding: gzip")},
		{"C2.27 not zstd", post(good, "Content-Encoding: zstd")},
		{"C2.27 gzip cut short", post(gzipped(good)[:100], "Content-Encoding: gzip")},
		{"C2.28 unknown content encoding", post(good, "Content-Encoding: br")},
		{"C2.28 two content encodings", post(good, "Content-Encoding: gzip, zstd")},
		{"C2.28 unknown media type", post(good, "Content-Type: application/json")},
		{"C2.28 a form with parts", post(good, "Content-Type: multipart/form-data; boundary=x")},
		{"C2.28 what curl says of a file", post(good, "Content-Type: application/x-www-form-urlencoded")},
		{"C2.29 GET", request("GET /mp/reports HTTP/1.1")},
		{"C2.29 PUT", request("PUT /mp/reports HTTP/1.1", "Content-Length: 3") + "abc"},
		{"C2.29 OPTIONS *", request("OPTIONS * HTTP/1.1")},
		{"C2.29 unknown path", request("GET /mp/other HTTP/1.1")},
		{"C2.31 the digest differs", post(good, "Content-Digest: sha-256=:"+digestOf("other")+":")},
		{"C2.31 the older header differs, in other letters", post(good, "Digest: SHA-256="+digestOf("other"))},
		{"C2.31 the digest is no base64", post(good, "Content-Digest: sha-256=:?:")},
		{"C2.35 dots in the path", request("GET /mp/../admin HTTP/1.1")},
		{"C2.35 dots that lead back", request("POST /mp/../mp/reports HTTP/1.1", "Content-Length: 3") + "abc"},
		{"C2.35 encoded slash", request("POST /mp%2Freports HTTP/1.1", "Content-Length: 3") + "abc"},
		{"C2.35 encoded letter", request("POST /mp/%72eports HTTP/1.1", "Content-Length: 3") + "abc"},
		{"C2.35 trailing slash", request("POST /mp/reports/ HTTP/1.1", "Content-Length: 3") + "abc"},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"HTTP/3.0", request("POST /mp/reports HTTP/3.0")},
		{"no Host", "POST /mp/reports HTTP/1.1\r\n\r\n"},
		{"no HTTP at all", "hello\r\n\r\n"},
		{"unknown expectation", post(good, "Expect: tea")},
	}
}

func xml4xx() []answerCase {
	good := report(testClient, 2)
	swap := func(old, new string) string { return post(strings.Replace(good, old, new, 1)) }
	return []answerCase{
		{"C3.36 broken end tag", swap("</UserParameters></StateMessage>", "</StateMessageserParameters>")},
		{"C3.41 unknown encoding", swap("UTF-8", "EBCDIC-CP-US")},
		{"C3.43 control character", swap("PC1", "PC\x01")},
		{"C3.43 invalid UTF-8", swap("PC1", "PC\xc3\x28")},
		{"C3.45 lone surrogate reference", swap("PC1", "PC&#xD800;")},
		{"C3.47 DOCTYPE", swap("<Report>", `<!DOCTYPE r SYSTEM "file:///etc/passwd"><Report>`)},
		{"C3.49 too deep", post("<Report>" + strings.Repeat("<a>", 1_000_000))},
		{"C3.55 duplicate attribute", swap(`ID="2"`, `ID="2" ID="2"`)},
		{"C3.56 second root", post(good + "<Report/>")},
		{"C3.57 text before the root", post("text" + good)},
		{"C3.59 prefixed root", swap("<Report>", `<q:Report xmlns:q="urn:q">`)},
		{"C3.61 JSON", post(`{"report": 1}`)},
		{"C3.61 HTML", post("<!doctype html><html></html>")},
		{"C3.61 white space", post(" \r\n\t ")},
		{"C3.62 cut short", post(good[:len(good)/2])},
		{"C3.53 too many messages", post(report(testClient, 10_001))},
		{"C4.71 two client ids", swap("<ClientVersion>", "<ClientID>"+testClient+"</ClientID><ClientVersion>")},
		{"C4.74 a client id that is a path", swap(testClient, "../../x")},
		{"C4.82 wrong content", swap("State Message Data", "Inventory")},
	}
}

var requestID = regexp.MustCompile(`"request_id":"[0-9a-f-]{36}"`)
var receiptID = regexp.MustCompile(`"receipt":"[0-9a-f-]{36}","file":"\d{8}.SMX"`)

// TestAnswers holds every answer against the golden file: status, the headers a caller acts on, and the body.
func TestAnswers(t *testing.T) {
	s := start(t, testConfig(), Deps{})
	var got strings.Builder
	for _, group := range [][]answerCase{http2xx(), http4xx(), xml4xx()} {
		for _, tc := range group {
			resp, body := s.raw(t, tc.request)
			body = requestID.ReplaceAllString(body, `"request_id":"ID"`)
			body = receiptID.ReplaceAllString(body, `"receipt":"ID","file":"FILE"`)
			fmt.Fprintf(&got, "## %s\n%d %s", tc.name, resp.StatusCode, resp.Header.Get("Content-Type"))
			for _, name := range []string{"Connection", "Allow", "Retry-After"} {
				if v := resp.Header.Get(name); v != "" {
					fmt.Fprintf(&got, " %s=%s", name, v)
				}
			}
			if resp.Close && resp.Header.Get("Connection") == "" {
				got.WriteString(" close")
			}
			fmt.Fprintf(&got, "\n%s\n", strings.TrimSuffix(body, "\n"))
		}
	}
	golden(t, "relay-answers.txt", got.String())
	for name, want := range map[string]float64{"bad_records": 1, "encoding_mismatch": 1} { // of one case each
		if n := s.metric(t, "statewire_relay_"+name+"_total", ""); n != want {
			t.Errorf("%s: %v counted, want %v", name, n, want)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("..", "fixtures", "golden", name)
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("answers differ from %s; look at the difference, then UPDATE_GOLDEN=1:\n%s", path,
			difference(string(want), got))
	}
}

// difference lists the lines that only one of the texts has.
func difference(want, got string) string {
	lines := func(s string) map[string]bool {
		set := map[string]bool{}
		for line := range strings.Lines(s) {
			set[line] = true
		}
		return set
	}
	var b strings.Builder
	in := lines(got)
	for line := range strings.Lines(want) {
		if !in[line] {
			b.WriteString("- " + line)
		}
	}
	in = lines(want)
	for line := range strings.Lines(got) {
		if !in[line] {
			b.WriteString("+ " + line)
		}
	}
	return b.String()
}
