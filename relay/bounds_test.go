package relay

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"statewire/smx"
)

// padded is a report of exactly so many bytes: white space may follow its root. Noise is white space that compresses
// badly.
func padded(n int, noise bool) string {
	var b strings.Builder
	b.WriteString(report(testClient, 1))
	for r := rand.New(rand.NewPCG(1, 2)); b.Len() < n; {
		if noise {
			b.WriteByte(" \n\t\r"[r.IntN(4)])
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// A report of exactly the limit is taken, one byte more is not, whichever way it comes.
func TestAReportOfExactlyTheLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s := start(t, testConfig(), Deps{})
	const chunks = "POST /mp/reports HTTP/1.1"
	full, more := padded(smx.MaxReportBytes, true), padded(smx.MaxReportBytes+1, true)
	free, beyond := padded(freeRatio, false), padded(freeRatio+1, false)
	if n := len(gzipped(free)); n*maxRatio >= freeRatio {
		t.Fatalf("%d bytes are too many to be beyond the ratio", n)
	}
	for _, tc := range []struct {
		name, request string
		code          string
	}{
		{"declared", post(full), ""},
		{"declared, a byte more", post(more), smx.CodeTooLarge},
		{"chunked", request(chunks, "Transfer-Encoding: chunked") + chunked(full), ""},
		{"chunked, a byte more", request(chunks, "Transfer-Encoding: chunked") + chunked(more), smx.CodeTooLarge},
		{"gzip", post(gzipped(full), "Content-Encoding: gzip"), ""},
		{"gzip, a byte more", post(gzipped(more), "Content-Encoding: gzip"), smx.CodeTooLarge},
		{"what may be expanded however small it came", post(gzipped(free), "Content-Encoding: gzip"), ""},
		{"a byte more", post(gzipped(beyond), "Content-Encoding: gzip"), codeRatio},
	} {
		resp, body := s.raw(t, tc.request)
		if tc.code == "" && resp.StatusCode != http.StatusAccepted {
			t.Errorf("%s: %d %s", tc.name, resp.StatusCode, body)
		}
		if tc.code != "" && (resp.StatusCode != http.StatusRequestEntityTooLarge ||
			!strings.Contains(body, `"code":"`+tc.code+`"`)) {
			t.Errorf("%s: %d %s", tc.name, resp.StatusCode, body)
		}
	}
}

// histogram is how often a histogram was told a value, and the sum of the values.
func (s *site) histogram(t testing.TB, name string) (count uint64, sum float64) {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			h := family.GetMetric()[0].GetHistogram()
			count, sum = h.GetSampleCount(), h.GetSampleSum()
		}
	}
	return count, sum
}

// UTF-16 may need twice the bytes; who says so may send them, in whatever case it is said.
func TestABodyThatSaysItIsUTF16MayBeTwiceAsLarge(t *testing.T) {
	for kind, want := range map[string]int64{
		"application/xml": smx.MaxReportBytes, "application/xml; charset=utf-8": smx.MaxReportBytes, "": smx.MaxReportBytes,
		"application/xml; charset=utf-16": smx.MaxRawBytes, `text/xml; charset="UTF-16LE"`: smx.MaxRawBytes,
		"application/xml; charset=Utf-16BE": smx.MaxRawBytes, "application/xml; charset=utf-16; =": smx.MaxReportBytes,
	} {
		if got := rawLimit(http.Header{"Content-Type": {kind}}); got != want {
			t.Errorf("%q: %d bytes, want %d", kind, got, want)
		}
	}
	if got := rawLimit(http.Header{}); got != smx.MaxReportBytes {
		t.Errorf("without a type: %d bytes", got)
	}
}
