package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var (
	taskTime = time.Date(2026, 11, 28, 22, 0, 0, 0, time.UTC)
	taskID   = uuid.MustParse("0f3e0000-0000-4000-8000-000000000001")
	siteID   = uuid.MustParse("5172e000-0000-4000-8000-000000000002")
	aClient  = uuid.MustParse("f1b03089-0000-4000-8000-000000000003")
)

func aRequest() RequestMessage {
	return RequestMessage{TaskID: 13, Task: taskID, Type: TypePack, Site: siteID, Client: aClient, Issued: taskTime,
		NotAfter: taskTime.Add(time.Hour), Delay: 3 * time.Second, Timeout: 5 * time.Minute, Pack: "Statewire.Utility",
		PackVersion: "1.0.0.0", PackHash: "sha256:00", Name: "Statewire.Utility.TestEvent",
		Parameters: []Parameter{{"Text", "hello <&> \"x\"\nline"}, {"Other", ""}}}
}

func aResponse() ResponseMessage {
	return ResponseMessage{Time: taskTime, Push: 9, TaskID: 13, Task: taskID, Step: StepFailed, Code: "timeout",
		Detail: "it ran <longer>", ExitCode: -9, Started: taskTime, Finished: taskTime.Add(1500 * time.Millisecond),
		Output: Output{Size: 70_000, Truncated: true, Text: "a\n<b>&\tü"}}
}

func someResults() Results {
	other := uuid.MustParse("0f3e0000-0000-4000-8000-000000000009")
	return Results{Server: "push1", ServerID: 3, Epoch: 7, Version: 88, Time: taskTime, Results: []Result{
		{Task: taskID, TaskID: 13, Push: 13, Client: aClient, Step: StepSucceeded, Pushed: taskTime, Received: taskTime,
			Started: taskTime, Finished: taskTime.Add(time.Second), Pushes: 2,
			Output: Output{Size: 17, Text: "event 1234 raised"}},
		{Task: taskID, TaskID: 13, Push: 14, Client: siteID, Step: StepPushed, Pushed: taskTime, Pushes: 1},
		{Task: other, TaskID: 14, Push: 15, Client: aClient, Step: StepRefused, Code: "no_pack", Detail: "none \"here\"",
			ExitCode: 1},
	}}
}

func TestATaskIsReadAsItWasWritten(t *testing.T) {
	if got, err := DecodeRequest(aRequest().Encode()); err != nil || !reflect.DeepEqual(got, aRequest()) {
		t.Errorf("request: %+v, %v", got, err)
	}
	cancel := CancelMessage{Task: taskID, Site: siteID, Client: aClient, Issued: taskTime}
	if got, err := DecodeCancel(cancel.Encode()); err != nil || got != cancel {
		t.Errorf("cancellation: %+v, %v", got, err)
	}
	for _, text := range []string{"", "plain", "a\r\nb", "x]]>y", "\x00\x1b", strings.Repeat("\n", MaxInline),
		strings.Repeat("]]>", MaxInline/3)} {
		want := aResponse()
		want.Output.Text = text
		doc := want.Encode()
		if got, err := DecodeResponse(doc); err != nil || got != want {
			t.Errorf("response with %.10q: %+v, %v", text, got, err)
		}
		if frame := AppendFrame(nil, Response, doc); len(frame) > MaxFrame {
			t.Errorf("an output of %d bytes makes a frame of %d", len(text), len(frame))
		}
	}
	got, bad, err := DecodeResults(someResults().Encode())
	if err != nil || len(bad) > 0 || !reflect.DeepEqual(got, someResults()) {
		t.Errorf("results: %+v\n%v, %v", got, bad, err)
	}
	if text := string(someResults().Encode()); !strings.Contains(text, `<Task PushID="14" TaskID="13" TaskGUID="`+
		taskID.String()+`" ReportedClients="2" FailedClients="0">`) {
		t.Errorf("a task's head is missing in\n%s", text)
	}
}

func TestAResponseSaysWhatAdministratorsKnow(t *testing.T) {
	done := ResponseMessage{Time: taskTime, Push: 9, TaskID: 13, Task: taskID, Step: StepSucceeded}
	for _, c := range []struct {
		step Step
		code string
	}{{StepSucceeded, "1"}, {StepFailed, "1"}, {StepRefused, "0"}} {
		done.Step = c.step
		text := strings.NewReplacer("\n", "", " <", "<").Replace(string(done.Encode()))
		want := `<BgbResponseMessage TimeStamp="2026-11-28T22:00:00Z"><PushID>9</PushID><TaskID>13</TaskID><ReturnCode>` +
			c.code + `</ReturnCode>`
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s does not begin with\n%s", text, want)
		}
	}
}

func TestATaskThatBreaksARuleIsRefused(t *testing.T) {
	swap := func(old, new string) string {
		return strings.Replace(string(aRequest().Encode()), old, new, 1)
	}
	for name, doc := range map[string]string{
		"another version":         swap(`Version="1"`, `Version="2"`),
		"no task":                 swap(`TaskGUID="`+taskID.String(), `TaskGUID="`),
		"a task of zeros":         swap(taskID.String(), uuid.Nil.String()),
		"id in braces":            swap(taskID.String(), "{"+taskID.String()+"}"),
		"no end":                  swap(`NotAfter="2026-11-28T23:00:00Z"`, ""),
		"a delay of years":        swap(`Delay="3"`, `Delay="99999999"`),
		"a parameter without end": swap("</Parameter>", ""),
		"a document type":         "<!DOCTYPE x>" + string(aRequest().Encode()),
		"two roots":               string(aRequest().Encode()) + "<x/>",
		"an attribute twice":      swap(`TaskID="13"`, `TaskID="13" TaskID="14"`),
	} {
		if got, err := DecodeRequest([]byte(doc)); err == nil {
			t.Errorf("%s is read as %+v", name, got)
		}
	}
	many, long := aRequest(), aRequest()
	for i := range MaxParameters + 1 {
		many.Parameters = append(many.Parameters, Parameter{fmt.Sprint(i), ""})
	}
	long.Parameters = []Parameter{{"A", strings.Repeat("x", MaxParameterBytes+1)}}
	for _, m := range []RequestMessage{many, long} {
		if _, err := DecodeRequest(m.Encode()); err == nil {
			t.Error("more parameters than allowed are read")
		}
	}
	for _, step := range []Step{StepQueued, StepPushed, "", "Succeeded"} {
		m := aResponse()
		m.Step = step
		if _, err := DecodeResponse(m.Encode()); err == nil {
			t.Errorf("a client says step %q", step)
		}
	}
}

// A client that cannot be read leaves the others of its file.
func TestABadClientIsLeftOut(t *testing.T) {
	doc := string(someResults().Encode())
	for old, left := range map[string]int{`Step="pushed"`: 2, `ID="GUID:F1B03089`: 2, `PushCount="2"`: 2,
		`TaskGUID="` + taskID.String(): 1} {
		got, bad, err := DecodeResults([]byte(strings.Replace(doc, old, strings.Replace(old, `="`, `="?`, 1), 1)))
		if err != nil || len(bad) != 1 || len(got.Results) != left {
			t.Errorf("without %s: %d are left, want %d; bad %v, %v", old, len(got.Results), left, bad, err)
		}
	}
	if _, _, err := DecodeResults([]byte(strings.Replace(doc, `Version="88"`, `Version="0"`, 1))); err == nil {
		t.Error("version 0 is read")
	}
}

func TestASignedTimeIsOfItsKeyAndSite(t *testing.T) {
	public, private, _ := ed25519.GenerateKey(nil)
	spki, _ := x509.MarshalPKIXPublicKey(public)
	sum := sha256.Sum256(spki)
	s := SignTime(hex.EncodeToString(sum[:]), private, siteID, taskTime.Add(123456789))
	back, ok := ParseSignedTime(s.Text())
	if !ok || back != s || back.Key != [8]byte(sum[:8]) || !back.Time.Equal(taskTime.Add(123456*time.Microsecond)) {
		t.Fatalf("%+v is read as %+v", s, back)
	}
	other, _, _ := ed25519.GenerateKey(nil)
	if !back.Verify(public, siteID) || back.Verify(public, aClient) || back.Verify(other, siteID) {
		t.Error("the signature is not of the key and the site")
	}
	for i := range s.Encode() {
		raw := s.Encode()
		raw[i] ^= 1
		if got, ok := DecodeSignedTime(raw); ok && got.Verify(public, siteID) && got.Key == s.Key {
			t.Errorf("byte %d may be another", i)
		}
	}
	ping := len(AppendFrame(nil, KeepAlive, nil)) + len(AppendFrame(nil, KeepAliveAck, s.Encode())) + 2*22
	if ping > 140 {
		t.Errorf("a keep-alive and its answer take %d bytes", ping)
	}
}

func TestPayloadsOfPushes(t *testing.T) {
	push, envelope, err := SplitPush(JoinPush(7, []byte("x")))
	if err != nil || push != 7 || string(envelope) != "x" {
		t.Errorf("%d %q %v", push, envelope, err)
	}
	if frame := AppendPush(nil, Cancel, 7, []byte("x")); !bytes.Equal(frame, AppendFrame(nil, Cancel, JoinPush(7,
		[]byte("x")))) {
		t.Errorf("a frame of %x", frame)
	}
	if _, _, err := SplitPush(make([]byte, 8)); err == nil {
		t.Error("a task without an envelope is taken")
	}
	tasks := []uuid.UUID{taskID, siteID}
	if got, err := SplitTasks(JoinTasks(tasks)); err != nil || !reflect.DeepEqual(got, tasks) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := SplitTasks(make([]byte, 17)); err == nil {
		t.Error("half an id is taken")
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(aRequest().Encode())
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := DecodeRequest(doc)
		if err != nil {
			return
		}
		back, err := DecodeRequest(m.Encode())
		if err != nil || !bytes.Equal(back.Encode(), m.Encode()) {
			t.Fatalf("%+v, then %+v, %v", m, back, err)
		}
	})
}

func FuzzDecodeResponse(f *testing.F) {
	f.Add(aResponse().Encode())
	f.Fuzz(func(t *testing.T, doc []byte) {
		m, err := DecodeResponse(doc)
		if err != nil {
			return
		}
		back, err := DecodeResponse(m.Encode())
		if err != nil || !bytes.Equal(back.Encode(), m.Encode()) {
			t.Fatalf("%+v, then %+v, %v", m, back, err)
		}
	})
}

func FuzzDecodeResults(f *testing.F) {
	f.Add(someResults().Encode())
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, _, err := DecodeResults(doc)
		if err != nil {
			return
		}
		if _, bad, err := DecodeResults(p.Encode()); err != nil || len(bad) > 0 {
			t.Fatalf("what was read is refused when written: %v %v", bad, err)
		}
	})
}
