package agent

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"statewire/agent/agenttest"
	"statewire/agent/cache"
	"statewire/agent/transport"
	"statewire/smx"
)

// A report that was sent is a line at its level, a state only for who debugs: there are thousands of them.
func TestEveryReportSentIsLogged(t *testing.T) {
	const report, state = "msg=\"report sent\"", "topic=500 id=b state=3 serial=8 receipt=r1"
	for _, tt := range []struct {
		sent, shown   slog.Level
		report, state bool
	}{
		{slog.LevelInfo, slog.LevelInfo, true, false},
		{slog.LevelDebug, slog.LevelInfo, false, false},
		{slog.LevelInfo, slog.LevelDebug, true, true},
	} {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: tt.shown}))
		a, err := New(DefaultConfig(), Deps{Identity: testIdentity, Store: cache.NewMemory(6),
			Relay: agenttest.NewSite(t), Log: log, SentLevel: tt.sent})
		if err != nil {
			t.Fatal(err)
		}
		raise(t, a, detected("a", 2), detected("b", 3))
		send(t, a, transport.Accepted)
		if got := out.String(); strings.Contains(got, report) != tt.report || strings.Contains(got, state) != tt.state {
			t.Errorf("sent at %v, shown from %v: the log says\n%s", tt.sent, tt.shown, got)
		}
	}
}

func TestWhatAClientTellsOfItself(t *testing.T) {
	a, memory, relay := testAgent(t, 0)
	memory.KeepSent(10)
	raise(t, a, detected("a", 2))
	send(t, a, transport.Accepted)
	relay.Fault = func(int) *transport.Answer {
		return &transport.Answer{Outcome: transport.Again, Status: 503, Code: "backlog"}
	}
	raise(t, a, detected("b", 3))
	send(t, a, transport.Again)
	raise(t, a, detected("c", 4))

	status, err := a.Status()
	if err != nil || status.Client != testIdentity.Client || !status.Connected ||
		!strings.Contains(status.Problem, "503 backlog") || status.LastSerial != 2 ||
		status.Held != 3 || status.Unsent != 2 || status.LastSend.IsZero() || status.OldestUnsent < 0 ||
		status.OldestUnsent > time.Minute {
		t.Errorf("status %+v, %v", status, err)
	}
	for serial, want := range map[uint64]string{1: "r1", 2: ""} {
		sent, known, err := a.Trace(serial)
		if err != nil || !known || sent.Receipt != want || sent.Raised.IsZero() || sent.Packed.Before(sent.Raised) ||
			sent.Sent.IsZero() != (serial == 2) {
			t.Errorf("serial %d: %+v, %v, %v", serial, sent, known, err)
		}
	}
	for _, serial := range []uint64{0, 3} {
		if sent, known, _ := a.Trace(serial); known {
			t.Errorf("serial %d, which was never given, is %+v", serial, sent)
		}
	}
	document, err := a.AsReport()
	var batch smx.Batch
	if err == nil {
		err = smx.NewDecoder().Decode(document, &batch)
	}
	if err != nil || batch.Len() != 3 || batch.Message(0).Serial != 1 || batch.Message(2).TopicID != "c" {
		t.Errorf("the cache as a report: %v\n%s", err, document)
	}
	messages, err := a.Messages()
	if err != nil || len(messages.Held) != 3 || len(messages.Sent) != 2 || len(messages.Dead) != 0 ||
		messages.Held[2].Place != cache.Waits {
		t.Errorf("messages %+v, %v", messages, err)
	}
}

// TestAgeAfterAJump: how long a state has waited, told by a clock that jumped.
func TestAgeAfterAJump(t *testing.T) {
	start := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	const decade = 10 * 365 * 24 * time.Hour
	for _, c := range []struct {
		name         string
		then, now    time.Time
		steady, want time.Duration
	}{
		{"no jump", start.Add(time.Minute), start.Add(time.Hour), time.Hour, 59 * time.Minute},
		{"raised before the start", start.Add(-time.Hour), start.Add(time.Minute), time.Minute, 61 * time.Minute},
		{"jumped on since", start.Add(time.Minute), start.Add(decade), time.Hour, 59 * time.Minute},
		{"jumped back since", start.Add(time.Minute), start.Add(-decade), time.Hour, 59 * time.Minute},
		{"raised after the jump on", start.Add(decade), start.Add(decade + time.Minute), time.Hour, time.Minute},
		{"raised after the jump back", start.Add(-decade), start.Add(-decade + time.Minute), time.Hour, time.Minute},
		{"raised in a future that is none any more", start.Add(decade), start.Add(time.Hour), time.Hour, 0},
	} {
		clock := Clock{Wall: func() time.Time { return c.now }, Steady: func() time.Duration { return c.steady }}
		if got := clock.age(c.then, moment{wall: start}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestWhatAnAttemptSaysOfTheRelay has an answer of each kind: an unchanged policy is no trouble.
func TestWhatAnAttemptSaysOfTheRelay(t *testing.T) {
	a, _, _ := testAgent(t, 0)
	for i, tc := range []struct {
		status    int
		err       error
		connected bool
		problem   string
	}{
		{200, nil, true, ""}, {0, errors.New("no route"), false, "the relay does not answer: no route"},
		{304, nil, true, ""}, {299, nil, true, ""},
		{300, nil, true, "the relay answered 300 c: d"}, {400, nil, true, "the relay answered 400 c: d"},
		{503, nil, true, "the relay answered 503 c: d"},
		{200, transport.ErrNotRelay, true, transport.ErrNotRelay.Error() +
			" with 200: see what stands at the relay's address"},
	} {
		a.met(t.Context(), tc.status, tc.err, "c", "d")
		got, err := a.Status()
		if err != nil || got.Problem != tc.problem || got.Connected != tc.connected || got.Attempts != uint64(i+1) {
			t.Errorf("after %d, %v: attempt %d, connected %v, problem %q; want %v, %q (%v)",
				tc.status, tc.err, got.Attempts, got.Connected, got.Problem, tc.connected, tc.problem, err)
		}
	}
}
