package main

import (
	"encoding/json"
	"strings"
	"testing"

	"statewire/cmd/statewire/cli"
	"statewire/reports/explain"
)

// explain and trace answer alike through a running site and by themselves, and see what waits in an inbox that nobody
// loads.
func TestExplainAndTraceFollowAMessageWhereverItIs(t *testing.T) {
	t.Parallel()
	data := siteDir(t) // else there is no store to ask
	relay := serve(t, data, "--roles", "relay")
	to, l := relay.poster(), newLedger()
	to.accept(t, l, 1, 1, 3)
	id := clientID(1).String()
	if text := words(done(t, data, "explain", id)); !strings.Contains(text, "waits in the inbox and is not loaded yet") ||
		!strings.Contains(text, "(normal)") || !strings.Contains(text, "No loader runs") {
		t.Errorf("a client whose first report waits: %s", text)
	}
	if text := words(done(t, data, "trace", id, "--serial", "2")); !strings.Contains(text,
		"has arrived and waits in the inbox") || !strings.Contains(text, "the message is in it") {
		t.Errorf("a message whose file waits: %s", text)
	}
	if text := words(done(t, data, "trace", id, "--serial", "4")); !strings.Contains(text, "is not known to exist") ||
		!strings.Contains(text, "the message not among them") {
		t.Errorf("a message that the waiting file lacks: %s", text)
	}
	loader := serve(t, data, "--roles", "ingest,reports")
	loader.awaitReady()
	loader.awaitDrained()
	to.accept(t, l, 1, 7, 9) // 4 to 6 are lost
	loader.awaitDrained()
	done(t, data, "resync", "check")
	inside := tracesOf(t, data, id)
	loader.kill()
	to.accept(t, l, 1, 10, 10)
	relay.kill()
	alone := tracesOf(t, data, "e2e-1")
	if alone["10"].Verdict != "waiting" || inside["10"].Verdict != "not_assigned" {
		t.Errorf("message 10: %s inside, %s alone, when its file waits", inside["10"].Verdict, alone["10"].Verdict)
	}
	for serial, verdict := range map[string]string{"2": "current", "5": "missing", "11": "not_assigned"} {
		if inside[serial].Verdict != verdict || alone[serial].Verdict != verdict {
			t.Errorf("message %s: %s inside, %s alone; want %s", serial, inside[serial].Verdict, alone[serial].Verdict, verdict)
		}
	}
	receipt := ""
	for _, hop := range alone["2"].Hops {
		receipt += hop.Receipt
	}
	if l.receipts[receipt] == 0 {
		t.Errorf("message 2 was given no receipt that the relay gave: %q", receipt)
	}
	if text := alone["5"].Summary; !strings.Contains(text, "never arrived") {
		t.Errorf("message 5 with a file in the inbox that lacks it: %s", text)
	}
	text := words(done(t, data, "explain", "E2E-1", "--topic", "500/{update-2}"))
	for _, want := range []string{"Messages 4 to 6 are missing (3)", "Reported but not loaded", "in message 2",
		"No resync is issued while files of this client wait"} {
		if !strings.Contains(text, want) {
			t.Errorf("explain lacks %q:\n%s", want, text)
		}
	}
}

func tracesOf(t *testing.T, data, client string) map[string]explain.Trace {
	t.Helper()
	out := map[string]explain.Trace{}
	for _, serial := range []string{"2", "5", "10", "11"} {
		var trace explain.Trace
		if err := json.Unmarshal([]byte(done(t, data, "trace", client, "--serial", serial, "--format", "json")),
			&trace); err != nil {
			t.Fatal(err)
		}
		out[serial] = trace
	}
	return out
}

// words joins the lines of a text.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestExplainAndTraceRefuseWhatTheyCannotRead(t *testing.T) {
	t.Parallel()
	data := siteDir(t)
	for want, args := range map[string][]string{
		"takes one argument": {"explain"}, "write TYPE/ID": {"explain", "X", "--topic", "500"}, "name the message": {"trace",
			"X"},
		`"GUID:F1B03089" looks like a client id and is none`: {"explain", "GUID:F1B03089"}, `"" names no client`: {"explain",
			""},
		`" \t" names no client`: {"trace", " \t", "--serial", "1"}, "--topic is empty": {"explain", "X", "--topic",
			""}, "--data is empty": {"status", "--data", ""},
		"--client is empty": {"resync", "list", "--client", " "}, "--file is empty": {"resync", "request", "--file",
			""}, "argument 1 of load is empty": {"load", ""},
		"--code is empty": {"dead", "list", "--code", ""}, "--config is empty": {"config", "check", "--config",
			""}, `--client "GUID:1"`: {"fleet", "verify", "--client", "GUID:1"},
		"--at is empty": {"resync", "check", "--at", ""}, `unknown: this report takes`: {"report", "clients", "--param",
			"nam=x"}, "did you mean name?": {"report", "clients", "--param", "nam=x"},
		"--param client is given twice": {"report", "messages", "--param", "client=a", "--param", "client=b"},
		"from 1 to 4611686018427387904": {"trace", clientID(1).String(), "--serial", "0"},
	} {
		if r := command(t, data, args...); r.code != cli.ExitUsage || !strings.Contains(r.errOut, want) {
			t.Errorf("%q: %d %s", args, r.code, r.errOut)
		}
	}
	if r := command(t, data, "trace", "NOBODY", "--serial", "1"); r.code != cli.ExitFailed ||
		!strings.Contains(r.errOut, "no client has this name") {
		t.Errorf("%d %s", r.code, r.errOut)
	}
	if text := done(t, data, "explain", "NOBODY"); !strings.Contains(text, "No client of this site is called NOBODY") {
		t.Errorf("%s", text)
	}
}
