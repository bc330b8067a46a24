package relay

import (
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"statewire/internal/refusals"
	"statewire/smx"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newList(most int, file string) *refused {
	return newRefused(Config{RefusalsKept: most}, file, newMetrics(nil), slog.New(slog.DiscardHandler))
}

// noteAt has one client refused, as many seconds after noon as its number.
func (l *refused) noteAt(second int, client byte, from string) {
	l.note(sender{client: smx.ClientID{client}}, "", netip.MustParseAddr(from), refuse(smx.CodeSyntax, "fault %d", second),
		noon.Add(time.Duration(second)*time.Second))
}

// holds are the clients of the list, by their first byte.
func (l *refused) holds() (clients []byte) {
	for who := range l.of {
		clients = append(clients, who.client[0])
	}
	slices.Sort(clients)
	return clients
}

func TestRefusalsAreBoundedByAddressAndInAll(t *testing.T) {
	const one, two, three = "10.0.0.1", "10.0.0.2", "2001:db8::"
	l := newList(8, "")
	for i, step := range []struct {
		name   string
		client byte
		from   string
		want   string
	}{
		{"a first client", 1, one, "[1]"},
		{"a second one, the share of the address", 2, one, "[1 2]"},
		{"the oldest refusal of the address gives way", 3, one, "[2 3]"},
		{"refused again it is the latest", 2, one, "[2 3]"},
		{"so another one gives way", 4, one, "[2 4]"},
		{"another address has a share of its own", 5, two, "[2 4 5]"},
		{"of IPv6 as well", 6, three, "[2 4 5 6]"},
		{"a client that moves takes its place along", 2, two, "[2 4 5 6]"},
		{"which counts where it is now", 7, two, "[2 4 6 7]"},
	} {
		l.noteAt(i, step.client, step.from)
		if got := fmt.Sprint(l.holds()); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
	for i := range 4 { // four clients of four addresses fill the list
		l.noteAt(20+i, byte(20+i), fmt.Sprintf("10.0.1.%d", i))
	}
	l.noteAt(30, 30, "10.0.2.1")
	if got := fmt.Sprint(l.holds()); got != "[4 6 7 20 21 22 23 30]" {
		t.Errorf("in a full list the oldest of who has most goes: %s", got)
	}
	l.noteAt(31, 31, "10.0.2.2")
	if got := fmt.Sprint(l.holds()); got != "[6 7 20 21 22 23 30 31]" {
		t.Errorf("of those who have as many the oldest goes: %s", got)
	}
	if n := counterOf(t, l.metrics.refusalsForgotten); n != 5 {
		t.Errorf("%v forgotten", n)
	}
	slots := map[uint32]bool{}
	for _, r := range l.of {
		slots[r.Slot] = true
	}
	if len(slots) != 8 || slots[8] {
		t.Errorf("slots %v", slots)
	}
}

func TestARefusalIsOverOnceAReportIsTaken(t *testing.T) {
	l := newList(8, "")
	me := sender{client: smx.ClientID{1}}
	l.took(me, noon)
	if len(l.of) != 0 {
		t.Error("a report that was taken makes an entry")
	}
	l.noteAt(1, 1, "10.0.0.1")
	l.noteAt(2, 1, "10.0.0.1")
	if r := l.of[me]; r.Count != 2 || r.Over() || l.open() != 1 || r.Detail != "fault 2" ||
		!r.Time.Equal(noon.Add(2*time.Second)) {
		t.Errorf("refused twice: %+v", r.Refusal)
	}
	before := l.last
	l.took(me, noon.Add(3*time.Second))
	l.took(me, noon.Add(4*time.Second))
	if r := l.of[me]; !r.Taken.Equal(noon.Add(3*time.Second)) || l.open() != 0 || r.Change <= before ||
		l.last != r.Change {
		t.Errorf("over: %+v, %d open", r.Refusal, l.open())
	}
	l.noteAt(5, 1, "10.0.0.1")
	if r := l.of[me]; r.Count != 1 || r.Over() {
		t.Errorf("refused again: %+v", r.Refusal)
	}
	proved := sender{client: me.client, verified: true}
	l.note(proved, "", netip.Addr{}, refuse(codeMismatch, "m"), noon)
	if l.of[me].Code != smx.CodeSyntax || l.of[proved].Code != codeMismatch {
		t.Error("what a report says of itself and what a certificate proves are one entry")
	}
	l.took(me, noon.Add(6*time.Second))
	if l.of[proved].Over() {
		t.Error("a report without proof ends what was refused to the client itself")
	}
	l.noteAt(7, 1, "10.0.0.1")
	l.took(proved, noon.Add(8*time.Second))
	if l.open() != 0 {
		t.Error("a report of the client itself leaves a claim open")
	}
}

func TestWhatIsNotedOfARefusal(t *testing.T) {
	l := newList(4, "")
	from := netip.MustParseAddr("10.0.0.1")
	for i, c := range []struct {
		name  string
		who   sender
		p     *problem
		noted bool
	}{
		{"a fault of the report", sender{client: smx.ClientID{1}}, refuse(smx.CodeSyntax, "x"), true},
		{"too large", sender{client: smx.ClientID{2}}, tooLarge(5), true},
		{"too many", sender{client: smx.ClientID{3}}, refuse(codeRate, "x"), true},
		{"nobody knows whose it is", sender{}, refuse(smx.CodeNotXML, "x"), false},
		{"the disk is full", sender{client: smx.ClientID{4}}, refuse(codeDiskFull, "x"), false},
		{"the relay failed", sender{client: smx.ClientID{5}}, refuse(codeInternal, "x"), false},
	} {
		l.note(c.who, "", from, c.p, noon.Add(time.Duration(i)*time.Second))
		if r := l.of[c.who]; (r != nil) != c.noted {
			t.Errorf("%s: noted %v", c.name, r != nil)
		}
	}
	l = newList(4, "")
	l.note(sender{client: smx.ClientID{1}}, "PC\xff", from,
		notReport(&smx.Error{Code: smx.CodeDate, Detail: strings.Repeat("é", 300), Line: 3, Column: 4}), noon)
	r := l.of[sender{client: smx.ClientID{1}}]
	if r.Name != "PC\ufffd" || len(r.Detail) != maxDetail || r.Line != 3 || r.Column != 4 || r.Status != 400 || r.Retry {
		t.Errorf("%+v", r.Refusal)
	}
	if newList(0, "").note(sender{client: smx.ClientID{1}}, "", from, tooLarge(5), noon); len(newList(0, "").of) != 0 {
		t.Error("a list of none keeps one")
	}
}

func TestTheListGoesOnAfterARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), refusals.FileName)
	l := newList(8, file)
	l.write()
	if _, err := os.Stat(file); err == nil {
		t.Error("a list in which nothing changed is written")
	}
	for i := range 4 {
		l.noteAt(i, byte(i+1), fmt.Sprintf("10.0.0.%d", i/2))
	}
	l.took(sender{client: smx.ClientID{2}}, noon.Add(time.Minute))
	l.write()
	was, err := refusals.Read(file)
	if err != nil || len(was) != 4 || l.written != l.last {
		t.Fatalf("%v, %v", was, err)
	}
	again := newList(8, file)
	if now, _ := again.changed(); now != nil || again.open() != 3 || again.last != l.last {
		t.Errorf("changed %v, %d open, change %d of %d", now, again.open(), again.last, l.last)
	}
	again.noteAt(10, 9, "10.0.0.0") // 1 and 2 have the share of this address; the list still knows who came first
	if got := fmt.Sprint(again.holds()); got != "[2 3 4 9]" {
		t.Errorf("after the restart: %s", got)
	}
	if r := again.of[sender{client: smx.ClientID{9}}]; r.Slot != was[0].Slot || r.Change <= l.last {
		t.Errorf("%+v beside %+v", r.Refusal, was[0])
	}
	smaller := newList(2, file)
	if now, _ := smaller.changed(); len(now) != 2 {
		t.Errorf("a smaller list has %v", now)
	}
	none := newList(0, file)
	if none.write(); none.written != none.last {
		t.Error("a list of none leaves what was there")
	}
	if left, err := refusals.Read(file); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	for _, bad := range []string{"{", `{"refused":[{"slot":4294967295,"client":"` + clientID(t, testClient).UUID() +
		`"},{"slot":1,"client":"x"}]}`} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		mended := newList(8, file)
		if mended.write(); len(mended.of) != 0 {
			t.Errorf("%s: %v", bad, mended.of)
		}
		if left, err := refusals.Read(file); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v, %v", bad, left, err)
		}
	}
	full := newList(8, filepath.Join(t.TempDir(), "missing", "file"))
	full.noteAt(1, 1, "10.0.0.1")
	if full.write(); full.written == full.last {
		t.Error("a list that could not be written counts as written")
	}
}

// TestRefusedReportsAreNoted asks over HTTPS: of whom, what, and that it is over.
func TestRefusedReportsAreNoted(t *testing.T) {
	file := filepath.Join(t.TempDir(), refusals.FileName)
	good := report(testClient, 2)
	broken := strings.Replace(good, "</StateMessage>", "</StateMessag>", 1)
	s := start(t, testConfig(), Deps{Refused: file})
	me := sender{client: clientID(t, testClient)}
	s.raw(t, post("no xml at all"))
	s.raw(t, post(strings.Replace(good, testClient, "GUID:x", 1)))
	if len(s.relay.refused.of) != 0 {
		t.Error("a refusal of nobody is noted")
	}
	s.raw(t, post(broken))
	s.raw(t, post("no xml at all")) // the decoder that read the report before must not tell whose this is
	s.raw(t, post(broken))
	s.relay.refused.mu.Lock()
	r := s.relay.refused.of[me].Refusal
	s.relay.refused.mu.Unlock()
	if r.Code != smx.CodeSyntax || r.Name != "PC1" || r.Address != "127.0.0.1" || r.Line != 2 || r.Column == 0 ||
		r.Count != 2 || r.Verified ||
		!strings.HasPrefix(r.Detail, "line 2, column") {
		t.Errorf("%+v", r)
	}
	if n := s.metric(t, "statewire_relay_refused_clients", ""); n != 1 {
		t.Errorf("%v refused clients", n)
	}
	if resp, _ := s.raw(t, post(good)); resp.StatusCode != 202 {
		t.Fatal(resp.Status)
	}
	if n := s.metric(t, "statewire_relay_refused_clients", ""); n != 0 {
		t.Errorf("%v refused clients after a report was taken", n)
	}
	if err := s.stop(); err != nil { // writes what is left
		t.Fatal(err)
	}
	if all, err := refusals.Read(file); err != nil || len(all) != 1 || !all[0].Over() ||
		all[0].Client != me.client.UUID() {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestARefusalIsOfWhoProvesWhoItIs: with certificates whatever a report says of itself concerns nobody else.
func TestARefusalIsOfWhoProvesWhoItIs(t *testing.T) {
	me := clientID(t, testClient)
	cfg := testConfig()
	cfg.Auth = AuthMTLS
	s := start(t, cfg, Deps{Callers: knownCallers{me}})
	s.raw(t, post(report(testClient, 1))) // shows nothing: nobody knows who it is
	if len(s.relay.refused.of) != 0 {
		t.Errorf("without a certificate: %v", s.relay.refused.of)
	}
	s.show(t)
	for _, c := range []struct{ name, request, code string }{
		{"another client's report", post(report(thatClient, 1)), codeMismatch},
		{"a fault in it", post(strings.Replace(report(thatClient, 1), "</Report>", "", 1)), smx.CodeSyntax},
		{"by its head alone", request("POST /mp/reports HTTP/1.1", fmt.Sprintf("Content-Length: %d", 8<<20+1)),
			smx.CodeTooLarge},
		{"another format", post("x", "Content-Type: text/plain"), codeMediaType},
	} {
		s.raw(t, c.request)
		s.relay.refused.mu.Lock()
		r := s.relay.refused.of[sender{me, true}]
		if len(s.relay.refused.of) != 1 || r == nil || r.Code != c.code {
			t.Errorf("%s: %v", c.name, s.relay.refused.of)
		}
		s.relay.refused.mu.Unlock()
	}
	if resp, body := s.raw(t, post(report(testClient, 1))); resp.StatusCode != 202 {
		t.Fatal(body)
	}
	if s.relay.refused.open() != 0 {
		t.Error("it is not over")
	}
}

func TestAListMayHaveSoManyClients(t *testing.T) {
	for most, fine := range map[int]bool{-1: false, 0: true, 65_536: true, 65_537: false, math.MaxInt32: false} {
		cfg := DefaultConfig()
		cfg.RefusalsKept = most
		if err := cfg.Validate(); (err == nil) != fine || !fine && !strings.Contains(err.Error(), "relay.refusals_kept") {
			t.Errorf("%d: %v", most, err)
		}
	}
}

func counterOf(t testing.TB, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}
