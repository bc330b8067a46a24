package agent

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"statewire/agent/cache"
	"statewire/smx"
)

// Whatever a relay hands out as a policy: the agent stays, keeps what it holds, sends it, and its serials have not run
// away.
func TestNoPolicyEndsAnAgent(t *testing.T) {
	const top = `<Policy Version="1" Client="%s">%s</Policy>`
	resync := func(number, next, issued string) string {
		return fmt.Sprintf(`<Resync Number=%q NextSerial=%q Issued=%q Reason="%s"/>`, number, next, issued,
			strings.Repeat("x", 3000))
	}
	const now, most = "2026-03-10T08:00:00Z", "4611686018427387904"
	topics := func(n int, text string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, text, i)
		}
		return b.String()
	}
	for _, tt := range []struct {
		name, body string
		want       PolicyOutcome
	}{
		{"the greatest number, at the end of time, at the end of the serials",
			resync("4294967295", most, "9999-12-31T23:59:59Z"), PolicyAdopted},
		{"behind the end", resync("1", "4611686018427387905", now), PolicyAdopted},
		{"far behind the end", resync("1", "18446744073709551616", now), PolicyDeclined},
		{"a serial below nothing", resync("1", "-1", now), PolicyDeclined},
		{"a million above", resync("1", "1000002", now), PolicyAdopted},
		{"one more", resync("1", "1000003", now), PolicyAdopted},
		{"number zero", resync("0", "1", now), PolicyDeclined},
		{"a number that no counter holds", resync("4294967296", "1", now), PolicyDeclined},
		{"long ago", resync("1", "1", "1601-01-01T00:00:00Z"), PolicyAdopted},
		{"before there was time", resync("1", "1", "0000-01-01T00:00:00Z"), PolicyDeclined},
		{"after it", resync("1", "1", "10000-01-01T00:00:00Z"), PolicyDeclined},
		{"the shortest intervals", `<SendInterval Seconds="1"/><PolicyInterval Seconds="1"/>`, PolicyAdopted},
		{"the longest", `<SendInterval Seconds="31622400"/><PolicyInterval Seconds="31622400"/>`, PolicyAdopted},
		{"longer", `<SendInterval Seconds="31622401"/>`, PolicyDeclined},
		{"as long as a counter can", `<SendInterval Seconds="18446744073709551615"/>`, PolicyDeclined},
		{"negative", `<PolicyInterval Seconds="-5"/>`, PolicyDeclined},
		{"a thousand topics", topics(1000, `<Topic Type="%d" Paused="false" Interval="1"/>`), PolicyAdopted},
		{"one more topic", topics(1001, `<Topic Type="%d"/>`), PolicyDeclined},
		{"a hundred thousand", topics(100_000, `<Topic Type="%d"/>`), PolicyDeclined},
		{"nothing but faults", topics(30_000, "<Topic/>"), PolicyDeclined},
		{"elements that nobody knows", strings.Repeat(`<Later a="1"><b/></Later>`, 10_000), PolicyAdopted},
		{"a deep one", strings.Repeat("<a>", 40_000), PolicyDeclined},
		{"ten megabytes", strings.Repeat(" ", 10<<20), PolicyDeclined},
		{"another scheme", `<Relay Address="file:///etc/passwd"/>`, PolicyDeclined},
		{"no encryption", `<Relay Address="http://relay.example"/>`, PolicyDeclined},
		{"a relay that is none", `<Relay Address="https://` + strings.Repeat("a", 3000) + `"/>`, PolicyAdopted},
		{"a relay without end", `<Relay Address="https://` + strings.Repeat("a", 100_000) + `"/>`, PolicyDeclined},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _, relay := testAgent(t, 0)
			var log bytes.Buffer
			a.log = slog.New(slog.NewTextHandler(&log, nil))
			raise(t, a, detected("a", 1), detected("b", 1))
			drainAll(t, a)
			relay.Document = fmt.Appendf(nil, top, testIdentity.Client, tt.body)
			poll(t, a, tt.want)
			if tt.want == PolicyAdopted {
				poll(t, a, PolicyUnchanged)
			}
			raise(t, a, detected("c", 1))
			drainAll(t, a)
			status, err := a.Status()
			if err != nil || status.UsedUp || status.Held != 3 || status.Unsent != 0 || status.LastSerial > 1_000_010 ||
				a.SendInterval() > mostInterval || a.PolicyInterval() > mostInterval {
				t.Errorf("status %+v, intervals %v and %v, %v", status, a.SendInterval(), a.PolicyInterval(), err)
			}
			if got := len(relay.Clients[testIdentity.Client].States); got < 3 {
				t.Errorf("%d states reached the site", got)
			}
			if log.Len() > 20_000 || len(status.Problem) > 2000 {
				t.Errorf("%d bytes of log, %d of the status", log.Len(), len(status.Problem))
			}
		})
	}
}

// The same request with other content is the same request: a site says a thing once.
func TestARequestThatChangesItsMindIsNotNew(t *testing.T) {
	a, _, relay := testAgent(t, 10)
	raise(t, a, detected("a", 1))
	drainAll(t, a)
	want(relay, asks(1, 20))
	if got := poll(t, a, PolicyAdopted); !got.Resync {
		t.Error("the first one begins no answer")
	}
	drainAll(t, a)
	for _, next := range []uint64{1, 500, 999_999, smx.MaxSerial} {
		want(relay, asks(1, next))
		if got := poll(t, a, PolicyAdopted); got.Resync {
			t.Errorf("asked to continue from %d it begins again", next)
		}
	}
	if status, err := a.Status(); err != nil || status.LastSerial != 21 || status.Declined != (cache.Declined{}) {
		t.Errorf("status %+v, %v", status, err)
	}
}
