package transport

import (
	"net/http"
	"testing"
)

// Anything may come as the answer of a relay. Only its own words end an enrolment, and a certificate is only in a 200.
func FuzzIssue(f *testing.F) {
	f.Add(200, "", []byte(`{"client_id":"GUID:X","certificate":"pem"}`))
	f.Add(202, "60", []byte(`{"pending":"7Q2M4K8A"}`))
	f.Add(403, "", []byte(`{"code":"token_used","detail":"x","retry":false}`))
	f.Add(503, "Sun, 06 Nov 1994 08:49:37 GMT", []byte(`{"code":"enrolment_paused","retry":true}`))
	f.Add(407, "-1", []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, after string, text []byte) {
		got := judgeIssue(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {after}}}, text, nil)
		switch {
		case got.Outcome == Accepted && (status != http.StatusOK || got.Answer.Certificate == ""):
			t.Fatalf("%d is an answer: %+v", status, got)
		case got.Outcome == Idle && status != http.StatusAccepted:
			t.Fatalf("%d waits for an approval: %+v", status, got)
		case got.Outcome == Refused && (got.Code == "" || status/100 != 4):
			t.Fatalf("%d refuses for good: %+v", status, got)
		case got.After < 0:
			t.Fatalf("%q is to wait %v", after, got.After)
		}
		_ = got.Reason()
	})
}
