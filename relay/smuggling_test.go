package relay

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestAttackNoRequestIsHiddenInAnother sends requests whose end two programs may see at different places, each with a
// request hidden where one of them would see the next one. The relay answers one request, runs none that is hidden,
// and ends the connection.
func TestAttackNoRequestIsHiddenInAnother(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	hidden := poll("?client=" + thatClient)
	good := report(testClient, 1)
	length := fmt.Sprintf("Content-Length: %d", len(hidden))
	long := fmt.Sprintf("Content-Length: %d", len(good))
	const line, te = "POST /mp/reports HTTP/1.1", "Transfer-Encoding: chunked"
	for _, tc := range []struct {
		name, sent string
		status     string
	}{
		{"white space before the colon", request(line, "Content-Length : "+length[16:]) + hidden, "400"},
		{"a tab before the colon", request(line, "Content-Length\t: "+length[16:]) + hidden, "400"},
		{"white space before a coding's colon", request(line, "Transfer-Encoding : chunked", long) + good + hidden, "400"},
		{"white space before the first header", line + "\r\n " + length + "\r\nHost: site\r\n\r\n" + hidden, "400"},
		{"a folded length", request(line, "Content-Length:", " "+length[16:]) + hidden, "400"},
		{"a length folded into another header", request(line, "X: y", " "+length) + hidden, "400"},
		{"a folded coding", request(line, "Transfer-Encoding:", " chunked") + chunked(good) + hidden, "202"},
		{"lines that end in LF alone", strings.ReplaceAll(request(line, length), "\r\n", "\n") + hidden, "400"},
		{"a length behind a bare LF", request(line, "X: y\n"+length) + hidden, "400"},
		{"a coding behind a bare LF", request(line, "X: y\n"+te, long) + chunked(good) + hidden, "202"},
		{"a length behind a bare CR", request(line, "X: y\r"+length) + hidden, "400"},
		{"both lengths", request(line, "Content-Length: 5", te) + chunked(good) + hidden, "202"},
		{"both lengths in the other order and case", request(line, "TRANSFER-ENCODING: CHUNKED", "content-length: 5") +
			chunked(good) + hidden, "202"},
		{"both lengths, the chunks empty", request(line, length, te) + "0\r\n\r\n" + hidden, "400"},
		{"both lengths on HTTP/1.0", request("POST /mp/reports HTTP/1.0", long, te) + good + hidden, "202"},
		{"a coding on HTTP/1.0 that stays open", request("POST /mp/reports HTTP/1.0", te, "Connection: keep-alive") +
			chunked(good) + hidden, "400"},
		{"a coding that is none", request(line, "Transfer-Encoding: xchunked", length) + hidden, "501"},
		{"two codings", request(line, "Transfer-Encoding: gzip, chunked") + chunked(good) + hidden, "501"},
		{"a coding twice", request(line, te, te) + chunked(good) + hidden, "501"},
		{"a coding and identity", request(line, te, "Transfer-Encoding: identity") + chunked(good) + hidden, "501"},
		{"a coding in odd white space", request(line, "Transfer-Encoding: \vchunked", length) + hidden, "400"},
		{"a coding in quotes", request(line, `Transfer-Encoding: "chunked"`, length) + hidden, "501"},
		{"two lengths that differ", request(line, "Content-Length: 0", length) + hidden, "400"},
		{"two lengths in one", request(line, "Content-Length: 0, "+length[16:]) + hidden, "400"},
		{"the same length twice", request(line, length, length) + hidden, "400"},
		{"a negative length", request(line, "Content-Length: -1") + hidden, "400"},
		{"a length with a plus", request(line, "Content-Length: +"+length[16:]) + hidden, "400"},
		{"a length in hex", request(line, "Content-Length: 0x10") + hidden, "400"},
		{"a length beyond 2^64", request(line, "Content-Length: 18446744073709551617") + hidden, "400"},
		{"an empty length", request(line, "Content-Length:") + hidden, "400"},
		{"no length", request(line) + hidden, "400"},
		{"a length of 0", request(line, "Content-Length: 0") + hidden, "400"},
		{"no Host", line + "\r\n" + length + "\r\n\r\n" + hidden, "400"},
		{"two Hosts", line + "\r\nHost: a\r\nHost: b\r\n" + length + "\r\n\r\n" + hidden, "400"},
		{"a Host that is none", line + "\r\nHost: a b\r\n" + length + "\r\n\r\n" + hidden, "400"},
		{"a zero byte in a header", request(line, "X: \x00", length) + hidden, "400"},
		{"a zero byte in a name", request(line, "X\x00Y: z", length) + hidden, "400"},
		{"a header without a colon", request(line, "Content-Length "+length[16:]) + hidden, "400"},
		{"a chunk size with a sign", request(line, te) + "+5\r\nabcde\r\n0\r\n\r\n" + hidden, "400"},
		{"a chunk size in 0x", request(line, te) + "0x5\r\nabcde\r\n0\r\n\r\n" + hidden, "400"},
		{"a chunk size beyond 2^64", request(line, te) + "10000000000000000\r\n" + hidden, "400"},
		{"a chunk line that ends in LF alone", request(line, te) + "5\nabcde\r\n0\r\n\r\n" + hidden, "400"},
		{"a chunk extension that ends in LF alone", request(line, te) + "5;a\nabcde\r\n0\r\n\r\n" + hidden, "400"},
		{"a chunk longer than its size", request(line, te) + "5\r\nabcdefgh\r\n0\r\n\r\n" + hidden, "400"},
		{"a last chunk that is not ended", request(line, te) + "5\r\nabcde\r\n0\r\n" + hidden, "400"},
		{"a length in the trailer", request(line, te) + fmt.Sprintf("%x\r\n%s\r\n0\r\n%s\r\n\r\n", len(good), good, length) +
			hidden, "202"},
		{"a poll with a body", request("GET /mp/policy?client="+testClient+" HTTP/1.1", length) + hidden, "400"},
		{"a poll with a chunked body", request("GET /mp/policy?client="+testClient+" HTTP/1.1", te) + chunked(hidden) +
			hidden, "400"},
		{"an unknown expectation", request(line, length, "Expect: tea") + hidden, "417"},
		{"an expectation that is refused", request("PUT /mp/reports HTTP/1.1", length, "Expect: 100-continue") + hidden,
			"405"},
		{"a body that another path takes", request("POST /mp/policy HTTP/1.1", length) + hidden, "405"},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden, "505"},
		{"the upgrade to HTTP/2", request(line, long, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
			"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", "Connection: close") + good + hidden, "202"},
		{"HTTP/0.9", "POST /mp/reports\r\n\r\n" + hidden, "400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policies := &knownPolicies{document: "<Policy/>", etag: "1"}
			s := start(t, testConfig(), Deps{Policies: policies})
			c := s.dial(t)
			go io.WriteString(c, tc.sent)
			got := answers(t, c)
			if len(got) != 1 || !strings.HasPrefix(got[0], tc.status+" ") {
				t.Errorf("want one answer %s and the end, got %q", tc.status, got)
			}
			if len(policies.polls) > 0 {
				t.Errorf("the hidden request was run: %v", policies.polls)
			}
		})
	}
}
