package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"statewire/agent"
	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/channel"
	"statewire/agent/credentials"
	"statewire/agent/packages"
	"statewire/agent/transport"
	"statewire/smx"
)

// operatedAgent is an agent that runs, with its socket; everything ends with the test.
type operatedAgent struct {
	dir    string
	store  *cache.Memory
	relay  *agenttest.Site
	client *Client
	socket *Server
}

// connected is a client's channel that is open.
type connected struct{}

var channelSince = time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)

func (connected) Status() channel.Status {
	return channel.Status{Transport: "TCP", Server: "push.example:10123", Session: 812, KeepAlive: 15 * time.Minute,
		Remote: "10.0.0.1:10123", LastIn: channelSince}
}

func operate(t *testing.T) *operatedAgent {
	t.Helper()
	dir, err := os.MkdirTemp("", "sw") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	o := &operatedAgent{dir: dir, store: cache.NewMemory(0), relay: agenttest.NewSite(t), client: Dial(dir)}
	o.store.KeepSent(100)
	cfg := agent.DefaultConfig()
	cfg.StartupJitter = time.Hour // nothing is sent unless somebody asks
	a, err := agent.New(cfg, agent.Deps{Identity: testIdentity, Store: o.store, Relay: o.relay, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	source := packages.New(cfg, a, time.Now, quiet)
	own, err := credentials.Open(credentials.OpenFolder(dir+"/identity"), credentials.Options{Client: testIdentity.Client,
		Serials: o.store, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	socket := New(a, source, own, connected{}, About{Host: "host", Version: "1.2.3", Relay: "https://mp.example:8443"},
		quiet)
	o.socket = socket
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- socket.Serve(ctx, ln) }()
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("a part of the agent ended with %v", err)
			}
		}
		os.RemoveAll(dir)
	})
	return o
}

func TestAStateToldThroughTheSocketArrives(t *testing.T) {
	o := operate(t)
	urgent := int8(0)
	told := RaisedState{
		TopicType: 402, TopicID: "öäü <&>", TopicIDType: 3, Title: "Öffnen & <schließen>", StateID: 11, Criticality: 2,
		Params: []string{" first", "", "0x80070643"}, Details: "line\r\n\"quoted\" \u2028 ]]>", DetailsType: 1,
		User: "u", UserSID: "S-1-5", Time: time.Date(2026, 3, 1, 2, 3, 4, 567000, time.UTC), Priority: &urgent,
	}
	began := time.Now().Add(-time.Second)
	answer, err := o.client.Raise(t.Context(), RaiseRequest{States: []RaisedState{told,
		{TopicType: 1, TopicID: "plain", StateID: 1}}})
	if err != nil || answer.Recorded != 2 || answer.Sent != nil {
		t.Fatalf("answer is %+v, %v; want two recorded", answer, err)
	}
	if n := len(o.relay.Times); n != 0 {
		t.Errorf("%d reports were sent though nobody asked", n)
	}
	sent, err := o.client.Send(t.Context())
	if err != nil || !sent.Done || sent.Unsent != 0 || sent.LastSerial != 2 || sent.Receipt != "r2" || sent.Problem != "" {
		t.Errorf("send says %+v, %v; want all of it sent in two reports, of two priorities", sent, err)
	}
	list, err := o.client.Messages(t.Context())
	if err != nil || len(list.Held) != 2 || len(list.Sent) != 2 || len(list.Refused) != 0 {
		t.Fatalf("messages are %+v, %v", list, err)
	}
	got := list.Held[1]
	if got.Serial != 1 || got.Place != "sent" || got.Raised.Before(began) {
		t.Errorf("held is %+v, want serial 1 at the relay", got)
	}
	if got := fmt.Sprintf("%+v", got.RaisedState); strings.ReplaceAll(got, fmt.Sprint(list.Held[1].Priority),
		fmt.Sprint(told.Priority)) != fmt.Sprintf("%+v", told) {
		t.Errorf("held is\n%s, told was\n%+v", got, told)
	}
	if at := list.Held[0].Time; at.Before(began) || at.After(time.Now()) || list.Held[0].Priority != nil {
		t.Errorf("a state without a time has %v, want now, and no priority", at)
	}
	if s, err := o.client.Trace(t.Context(), 1); err != nil || s.Outcome != "accepted" || s.TopicID != told.TopicID ||
		s.Receipt != "r1" {
		t.Errorf("serial 1 is %+v, %v", s, err)
	}
}

func TestWhatIsHeldReadsAsAReport(t *testing.T) {
	o := operate(t)
	if _, err := o.client.Raise(t.Context(), RaiseRequest{Now: true,
		States: []RaisedState{{TopicType: 500, TopicID: "a", StateID: 2},
			{TopicType: 500, TopicID: "b", StateID: 3}}}); err != nil {
		t.Fatal(err)
	}
	text, err := o.client.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var batch smx.Batch
	if err := smx.NewDecoder().Decode(text, &batch); err != nil || batch.Len() != 2 ||
		batch.Reports[0].Client != testIdentity.Client || batch.Serial[1] != 2 {
		t.Errorf("the report holds %d messages, %v:\n%s", batch.Len(), err, text)
	}
}

func TestStatusThroughTheSocket(t *testing.T) {
	o := operate(t)
	if s, err := o.client.Status(t.Context()); err != nil || s.Attempts != 0 || s.Connected || !s.LastSend.IsZero() ||
		s.Unsent != 0 {
		t.Errorf("before anything the status is %+v, %v", s, err)
	}
	answer, err := o.client.Raise(t.Context(), RaiseRequest{Now: true,
		States: []RaisedState{{TopicType: 500, TopicID: "a", StateID: 2}}})
	if err != nil || answer.Sent == nil || !answer.Sent.Done {
		t.Fatalf("answer is %+v, %v", answer, err)
	}
	s, err := o.client.Status(t.Context())
	if err != nil || s.Client != testIdentity.Client.String() || s.Host != "host" || s.Version != "1.2.3" ||
		s.Process != os.Getpid() || s.Relay != "https://mp.example:8443" ||
		!s.Connected || s.Problem != "" || s.LastSerial != 1 || s.Held != 1 || s.Unsent != 0 ||
		time.Since(s.LastSend) > time.Minute || s.SendInterval != 900 || s.Channel.Transport != "TCP" ||
		s.Channel.Server != "push.example:10123" || s.Channel.KeepAlive != 900 || s.Channel.Session != 812 ||
		s.Channel.Remote != "10.0.0.1:10123" || !s.Channel.LastIn.Equal(channelSince) {
		t.Errorf("status is %+v, %v", s, err)
	}
}

func TestStatusShowsTheLastScan(t *testing.T) {
	o := operate(t)
	tell := func(states ...RaisedState) *agent.ScanState {
		t.Helper()
		if _, err := o.client.Raise(t.Context(), RaiseRequest{States: states}); err != nil {
			t.Fatal(err)
		}
		s, err := o.client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Scan
	}
	if scan := tell(RaisedState{TopicType: 501, TopicID: "another source", StateID: 5}); scan != nil {
		t.Errorf("without a scan of its own it shows %+v", scan)
	}
	if scan := tell(RaisedState{TopicType: 501, TopicID: "apt", StateID: 3, Params: []string{"1"}},
		RaisedState{TopicType: 500, TopicID: "a1=2", StateID: 2},
		RaisedState{TopicType: 500, TopicID: "b1=2", StateID: 3}, RaisedState{TopicType: 402, TopicID: "b1=2",
			StateID: 9}); scan == nil ||
		scan.State != "completed" || scan.Required != 1 || scan.Restart != 1 || scan.Reason != "" ||
		time.Since(scan.Time) > time.Minute {
		t.Errorf("a completed scan is %+v", scan)
	}
	if scan := tell(RaisedState{TopicType: 501, TopicID: "apt", StateID: 5,
		Params: []string{"0x80004005", "no lists"}}); scan == nil || scan.State != "failed" || scan.Reason != "no lists" {
		t.Errorf("a failed scan is %+v", scan)
	}
}

// A relay that is away, and topics that the policy holds back, are said at once; the states stay.
func TestSendingThatComesToNothingIsSaid(t *testing.T) {
	o := operate(t)
	o.relay.Mu.Lock()
	o.relay.Fault = func(int) *transport.Answer {
		return &transport.Answer{Outcome: transport.Again, Err: errors.New("connection refused")}
	}
	o.relay.Mu.Unlock()
	state := RaiseRequest{Now: true, States: []RaisedState{{TopicType: 500, TopicID: "a", StateID: 2}}}
	answer, err := o.client.Raise(t.Context(), state)
	if err != nil || answer.Recorded != 1 || answer.Sent == nil || answer.Sent.Done || answer.Sent.Unsent != 1 ||
		!strings.Contains(answer.Sent.Problem, "connection refused") {
		t.Errorf("answer is %+v %+v, %v; want recorded, not sent, and why", answer, answer.Sent, err)
	}
	o.relay.Mu.Lock()
	o.relay.Fault = nil
	o.relay.Mu.Unlock()
	if sent, err := o.client.Send(t.Context()); err != nil || !sent.Done {
		t.Errorf("send says %+v, %v; want sent once the relay is back", sent, err)
	}
	if sent, err := o.client.Resend(t.Context()); err != nil || !sent.Done || sent.LastSerial != 3 {
		t.Errorf("resend says %+v, %v; want the state and the completion under serials 2 and 3", sent, err)
	}
}

// raw sends bytes as a hostile program would and returns the answer's status, 0 when there is none.
func (o *operatedAgent) raw(t *testing.T, method, path, kind, body string) (int, string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, o.dir) }}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://agent"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func TestTheSocketRefusesWhatIsWrong(t *testing.T) {
	o := operate(t)
	state := func(more string) string {
		return `{"states":[{"topic_type":1,"topic_id":"x","state_id":1` + more + `}]}`
	}
	long := strings.Repeat("x", smx.MaxDetailsBytes+1)
	for _, tt := range []struct {
		name, method, path, kind, body string
		status                         int
		says                           string
	}{
		{"no body", "POST", "/v1/states", "application/json", "", 400, "EOF"},
		{"no JSON", "POST", "/v1/states", "application/json", "<Report/>", 400, "invalid character"},
		{"cut off", "POST", "/v1/states", "application/json", state("")[:40], 400, "unexpected EOF"},
		{"something behind it", "POST", "/v1/states", "application/json", state("") + "{}", 400, "follows"},
		{"an unknown field", "POST", "/v1/states", "application/json", state(`,"serial":7`), 400, "serial"},
		{"a form of a web page", "POST", "/v1/states", "text/plain", state(""), 415, "application/json"},
		{"no state", "POST", "/v1/states", "application/json", `{"states":[]}`, 400, "allowed are 1 to 1000"},
		{"too many states", "POST", "/v1/states", "application/json",
			`{"states":[` + strings.Repeat(`{},`, maxStates) + `{}]}`, 400, "allowed are 1 to 1000"},
		{"no topic id", "POST", "/v1/states", "application/json", `{"states":[{"topic_type":1,"state_id":1}]}`, 400,
			"topic id"},
		{"a negative state", "POST", "/v1/states", "application/json", `{"states":[{"topic_id":"x","state_id":-1}]}`,
			400, "state_id"},
		{"a type beyond 32 bits", "POST", "/v1/states", "application/json",
			`{"states":[{"topic_id":"x","topic_type":4294967296}]}`, 400, "topic_type"},
		{"a priority beyond 10", "POST", "/v1/states", "application/json", state(`,"priority":11`), 400,
			"allowed are 0 to 10"},
		{"a time that is none", "POST", "/v1/states", "application/json", state(`,"time":"yesterday"`), 400, "yesterday"},
		{"a title that turns the direction", "POST", "/v1/states", "application/json", state(`,"title":"a\u202eb"`), 400,
			"title"},
		{"too many parameters", "POST", "/v1/states", "application/json",
			state(`,"params":[` + strings.Repeat(`"",`, smx.MaxParams) + `""]`), 400, "65 parameters"},
		{"details too long", "POST", "/v1/states", "application/json", state(`,"details":"` + long + `"`), 400, "details"},
		{"what only the agent says", "POST", "/v1/states", "application/json",
			`{"states":[{"topic_type":700,"topic_id":"x","state_id":2}]}`, 400, "700"},
		{"one wrong state refuses all", "POST", "/v1/states", "application/json",
			`{"states":[{"topic_type":1,"topic_id":"good"},{"topic_type":1}]}`, 400, "topic id"},
		{"a body beyond the bound", "POST", "/v1/states", "application/json",
			`{"states":[` + strings.Repeat(" ", maxBody) + `]}`, 413, "larger"},
		{"deep nesting", "POST", "/v1/states", "application/json", strings.Repeat(`[`, 100_000), 400, ""},
		{"a serial that is none", "GET", "/v1/messages/0", "", "", 400, "serial"},
		{"a serial never sent", "GET", "/v1/messages/4611686018427387904", "", "", 404, "4611686018427387904"},
		{"no such path", "GET", "/v1/secrets", "", "", 404, ""},
		{"a wrong method", "GET", "/v1/states", "", "", 405, ""},
		{"a path that climbs", "GET", "/v1/../v1/secrets", "", "", 404, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, text := o.raw(t, tt.method, tt.path, tt.kind, tt.body)
			if status != tt.status || !strings.Contains(text, tt.says) {
				t.Errorf("answer is %d %.300s; want %d with %q", status, text, tt.status, tt.says)
			}
		})
	}
	if sum := summary(t, o.store); sum.States != 0 || sum.Unsent != 0 {
		t.Errorf("the store is %+v, want nothing kept of what was refused", sum)
	}
	if _, err := o.client.Status(t.Context()); err != nil {
		t.Errorf("afterwards the agent says %v", err)
	}
}
