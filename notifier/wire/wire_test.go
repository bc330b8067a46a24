package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var (
	machine = uuid.MustParse("f1b0c0de-0000-4000-8000-000000000001")
	moment  = time.Date(2026, 11, 28, 22, 0, 1, 250_000_000, time.UTC)
)

func TestAFrameIsReadAsItWasWritten(t *testing.T) {
	stream := AppendFrame(nil, KeepAlive, nil)
	stream = AppendFrame(stream, SignIn, []byte("abc"))
	stream = AppendFrame(stream, Kind(200), bytes.Repeat([]byte{1}, MaxFrame-1))
	if want := "\x00\x00\x00\x01\x03\x00\x00\x00\x04\x01abc\x00\x01\x00\x00\xc8"; string(stream[:len(want)]) != want {
		t.Errorf("on the wire: %q", stream[:20])
	}
	r := bytes.NewReader(stream)
	for _, want := range []string{"3 0 <nil>", "1 3 <nil>", "200 65535 <nil>", "0 0 EOF"} {
		k, payload, err := ReadFrame(r, MaxFrame)
		if got := fmt.Sprint(uint8(k), " ", len(payload), " ", err); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
}

func TestABadFrameSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		code        CloseCode
		cut         bool
	}{
		{"no length", "\x00\x00\x00\x00\x03", CloseBadFrame, false},
		{"one byte too long", "\x00\x01\x00\x01\x03", CloseBadFrame, false},
		{"as long as the field can say", "\xff\xff\xff\xff\x03", CloseBadFrame, false},
		{"above what is allowed here", "\x00\x00\x00\x0a\x01123456789", CloseBadFrame, false},
		{"type 0", "\x00\x00\x00\x01\x00", CloseUnknownType, false},
		{"the first type not known", "\x00\x00\x00\x01\x0c", CloseUnknownType, false},
		{"the last type not known", "\x00\x00\x00\x01\x7f", CloseUnknownType, false},
		{"cut in the head", "\x00\x00\x00", 0, true},
		{"cut behind the head", "\x00\x00\x00\x04\x01", 0, true},
		{"cut in the payload", "\x00\x00\x00\x04\x01ab", 0, true},
	} {
		_, _, err := ReadFrame(strings.NewReader(c.bytes), 8)
		var frame *FrameError
		if c.cut != errors.Is(err, io.ErrUnexpectedEOF) || !c.cut && (!errors.As(err, &frame) || frame.Code != c.code) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if k, payload, err := ReadFrame(strings.NewReader("\x00\x00\x00\x09\x0112345678"), 8); err != nil || k != SignIn ||
		len(payload) != 8 {
		t.Errorf("as much as allowed: %v %d %v", k, len(payload), err)
	}
}

func TestMessagesAreReadAsTheyWereWritten(t *testing.T) {
	signIn := SignInMessage{Time: moment, Client: machine, Version: "1.4.0", Session: 812, Boot: "5d1c", Channel: HTTP,
		Reason: ReasonFallback, Why: `tcp push.example:10123: <"refused">`, PacksDigest: "sha256:00",
		Held: []Held{{machine, "succeeded"}, {uuid.MustParse("f1b0c0de-0000-4000-8000-000000000002"), "failed"}}}
	if got, err := DecodeSignIn(signIn.Encode()); err != nil || !reflect.DeepEqual(got, signIn) {
		t.Errorf("%+v, %v", got, err)
	}
	confirm := SignInConfirmMessage{Time: moment, ServerID: 3, Epoch: 7, KeepAlive: 15 * time.Minute, Session: 812,
		SignedTime: "abc="}
	if got, err := DecodeSignInConfirm(confirm.Encode()); err != nil || got != confirm {
		t.Errorf("%+v, %v", got, err)
	}
	end := CloseMessage{CloseDuplicate, "twö machines", 17 * time.Minute}
	if got, err := DecodeClose(end.Encode()); err != nil || got != end {
		t.Errorf("%+v, %v", got, err)
	}
	end = CloseMessage{CloseWrongServer, strings.Repeat("ö", MaxWhyBytes), 48 * time.Hour}
	if got, err := DecodeClose(end.Encode()); err != nil || len(got.Text) != MaxWhyBytes ||
		got.RetryAfter != 24*time.Hour {
		t.Errorf("cut to %d, %v: %v", len(got.Text), got.RetryAfter, err)
	}
}

// Whatever seconds a frame of Close has, the other end is left alone for a day at most.
func TestAnEndIsLeftAloneForADayAtMost(t *testing.T) {
	for seconds, want := range map[string]time.Duration{"\x00\x01\x51\x7f": 24*time.Hour - time.Second,
		"\x00\x01\x51\x81": 24 * time.Hour, "\xff\xff\xff\xff": 24 * time.Hour} {
		if got, err := DecodeClose([]byte("\x03" + seconds)); err != nil || got.RetryAfter != want {
			t.Errorf("%x seconds are %v, not %v: %v", seconds, got.RetryAfter, want, err)
		}
	}
}

// Each thing that a manager can want is work.
func TestWorkIsEmptyWhenNothingIsWanted(t *testing.T) {
	if !(Work{Number: 8}).Empty() {
		t.Error("a number alone is work")
	}
	for name, w := range map[string]Work{"a wake": {Wakes: []uuid.UUID{machine}}, "a full report": {Full: true},
		"a session that is raised": {Raise: []SessionOf{{machine, 9}}},
		"a session that ended":     {End: []SessionOf{{machine, 9}}}} {
		if w.Empty() {
			t.Errorf("%s is no work", name)
		}
	}
}

// What is printed in the documentation is what this version reads.
func TestTheDocumentedMessagesAreRead(t *testing.T) {
	in, err := DecodeSignIn([]byte(`<BgbSignInMessage Version="1" TimeStamp="2026-11-28T22:00:00Z" ` +
		`ClientID="GUID:F1B0C0DE-0000-4000-8000-000000000001" ClientVersion="1.4.0" Session="812" Boot="5d1c" Channel="0" ` +
		`Reason="start" Later="1"><Later/><Held TaskGUID="f1b0c0de-0000-4000-8000-000000000001" Step="succeeded"/>` +
		`</BgbSignInMessage>`))
	if err != nil || in.Client != machine || in.Session != 812 || in.Channel != TCP || len(in.Held) != 1 {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestASignInThatCannotBeReadSaysWhy(t *testing.T) {
	good := string(SignInMessage{Time: moment, Client: machine, Session: 1, Boot: "b", Reason: "start",
		Held: []Held{{machine, "failed"}}}.Encode())
	for _, c := range []struct{ old, new, want string }{
		{`Version="1"`, `Version="2"`, "Version"},
		{`Version="1" `, ``, "Version"},
		{`ClientID="GUID`, `ClientID="GUAD`, "ClientID"},
		{`ClientID="GUID:F1B0C0DE-0000-4000-8000-000000000001"`,
			`ClientID="GUID:00000000-0000-0000-0000-000000000000"`, "ClientID"},
		{`Session="1"`, `Session="-1"`, "Session"},
		{`Session="1"`, `Session="4611686018427387905"`, "Session"},
		{`Session="1"`, `Session="1" Session="2"`, "Session comes twice"},
		{`Channel="0"`, `Channel="2"`, "Channel"},
		{`Reason="start"`, `Reason="` + strings.Repeat("x", 129) + `"`, "Reason"},
		{`TimeStamp="2026`, `TimeStamp="26`, "TimeStamp"},
		{`TaskGUID="f1`, `TaskGUID="x1`, "TaskGUID"},
		{`<BgbSignInMessage`, `<!DOCTYPE x><BgbSignInMessage`, "document type"},
		{`<BgbSignInMessage`, `x<BgbSignInMessage`, "text stands before"},
		{`</BgbSignInMessage>`, ``, "EOF"},
		{`</BgbSignInMessage>`, `</BgbSignInMessage><x/>`, "more than one root"},
		{`</BgbSignInMessage>`, `</BgbSignInMessage>x`, "text stands behind"},
		{`BgbSignInMessage`, `BgbSignInConfirmMessage`, "BgbSignInConfirmMessage"},
		{` <Held TaskGUID="f1b0c0de-0000-4000-8000-000000000001" Step="failed"/>`,
			strings.Repeat(` <Held TaskGUID="f1b0c0de-0000-4000-8000-000000000001" Step="failed"/>`, 501), "more than 500"},
	} {
		text := strings.ReplaceAll(good, c.old, c.new)
		if text == good {
			t.Fatalf("%q is not in the message:\n%s", c.old, good)
		}
		if _, err := DecodeSignIn([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: %v", c.new, c.old, err)
		}
	}
	for _, bad := range []string{"", "1234", strings.Repeat("x", 6+MaxWhyBytes), "\x01\x00\x00\x00\x00\xff"} {
		if m, err := DecodeClose([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, m)
		}
	}
	confirm := string(SignInConfirmMessage{Time: moment, KeepAlive: time.Minute}.Encode())
	for _, seconds := range []string{"0", "604801", "x"} {
		text := strings.ReplaceAll(confirm, `KeepAlive="60"`, `KeepAlive="`+seconds+`"`)
		if _, err := DecodeSignInConfirm([]byte(text)); err == nil {
			t.Errorf("a keep-alive of %s seconds is taken", seconds)
		}
	}
}

func sample() Report {
	return Report{Full: true, Server: "push1", ServerID: 3, Epoch: 7, Version: 15, Base: 14, Part: 1, Parts: 1,
		Time:   moment,
		Online: 2, TCP: 1, HTTP: 1, Rows: []Row{
			{Client: machine, Online: true, Channel: TCP, Session: 812, Seq: 1, Since: moment, Last: moment.Add(time.Second),
				Address: "10.0.0.7", Reason: Online, Certificate: 12},
			{Client: uuid.MustParse("f1b0c0de-0000-4000-8000-000000000002"), Channel: HTTP, Session: 1, Seq: 2, Since: moment,
				Last: moment, Reason: OfflineClosed, Why: `tcp push.example:10123: "connection refused"`},
		}}
}

func TestAPresenceFileIsReadAsItWasWritten(t *testing.T) {
	want := sample()
	text := want.Encode()
	got, bad, err := DecodeReport(text)
	if err != nil || len(bad) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, %v", got, bad, err)
	}
	const golden = "testdata/report.BOS"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(golden); err != nil || !bytes.Equal(kept, text) {
		t.Errorf("%s differs: %v\n%s", golden, err, text)
	}
	for range 100 {
		if name := ReportName(); !regexp.MustCompile(`^Bgb[A-Z0-9]{8}\.BOS$`).MatchString(name) {
			t.Fatal(name)
		}
	}
}

// A report of as many rows as are allowed can be read again, whatever the clients say.
func TestTheLongestRowsFitIntoAFile(t *testing.T) {
	p := sample()
	head := len(Report{Server: p.Server, Time: moment}.Encode())
	p.Rows = []Row{{Client: machine, Online: true, Channel: HTTP, Session: 1 << 62, Seq: 1 << 62, Since: moment,
		Last:    moment,
		Address: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Reason: OfflineStop, Certificate: 1<<63 - 1,
		Why: strings.Repeat(`"`, MaxWhyBytes)}}
	text := p.Encode()
	if row := len(text) - head; row*MaxRows > MaxReportBytes {
		t.Errorf("%d rows of %d bytes; a file may have %d", MaxRows, row, MaxReportBytes)
	}
	got, bad, err := DecodeReport(text)
	if err != nil || len(bad) > 0 || got.Rows[0].Why != strings.Repeat(`"`, MaxRowWhyBytes) {
		t.Errorf("%+v, %v, %v", got, bad, err)
	}
}

func TestABadRowTakesNoOtherWithIt(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`ID="GUID:F1B0C0DE-0000-4000-8000-000000000001"`, `ID=""`, "ID"},
		{`Status="1"`, `Status="2"`, "Status"},
		{`Channel="0"`, `Channel="7"`, "Channel"},
		{`Session="812"`, `Session=""`, "Session"},
		{`Seq="1"`, `Seq="a"`, "Seq"},
		{`Reason="signin"`, ``, "Reason"},
		{`Certificate="12"`, `Certificate=""`, "Certificate"},
		{`Last="2026-11-28T22:00:02.25Z"`, `Last="soon"`, "Last"},
		{`Address="10.0.0.7"`, `Address="` + strings.Repeat("1", 129) + `"`, "Address"},
		{`Certificate="12"`, `Why="` + strings.Repeat("1", 201) + `"`, "Why"},
	} {
		good := string(sample().Encode())
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%q is not in the file:\n%s", c.old, good)
		}
		got, bad, err := DecodeReport([]byte(text))
		if err != nil || len(got.Rows) != 1 || got.Rows[0].Channel != HTTP || len(bad) != 1 || bad[0].Number != 1 ||
			!strings.Contains(bad[0].Reason, c.want) || !strings.HasPrefix(string(bad[0].Text), "<Client ID=") ||
			!strings.HasSuffix(string(bad[0].Text), "/>") {
			t.Errorf("%q for %q: %d rows, %+v, %v", c.new, c.old, len(got.Rows), bad, err)
		}
	}
}

func TestAPresenceFileThatCannotBeUsedSaysWhy(t *testing.T) {
	good := string(sample().Encode())
	for _, c := range []struct{ old, new, want string }{
		{`Format="1"`, `Format="2"`, "Format"},
		{`Type="Full"`, `Type="full"`, "Type"},
		{`Server="push1"`, `Server=""`, "Server is missing"},
		{`ServerID="3"`, `ServerID="0"`, "begin at 1"},
		{`Epoch="7"`, `Epoch="0"`, "begin at 1"},
		{`Version="15"`, `Version="0"`, "begin at 1"},
		{`Base="14"`, `Base="15"`, "not before"},
		{`Part="1"`, `Part="0"`, "Part 0 of 1"},
		{`Part="1"`, `Part="2"`, "Part 2 of 1"},
		{`Parts="1"`, `Parts="1001"`, "Parts"},
		{` Time="2026`, ` Time="x`, "Time"},
		{`Tcp="1"`, `Tcp="one"`, "Tcp"},
		{`</BgbOnlineStatus>`, ``, "EOF"},
		{`ID="GUID`, `ID=GUID`, "quoted"},
		{"<BgbOnlineStatus", "<BgbTaskStatus", "BgbTaskStatus"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%q is not in the file:\n%s", c.old, good)
		}
		if got, _, err := DecodeReport([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) ||
			len(got.Rows) > 0 {
			t.Errorf("%q for %q: %v", c.new, c.old, err)
		}
	}
	many := strings.Replace(good, "</BgbOnlineStatus>", strings.Repeat("<Client/>", MaxRows-2)+"</BgbOnlineStatus>", 1)
	if got, bad, err := DecodeReport([]byte(many)); err != nil || len(got.Rows) != 2 || len(bad) != MaxRows-2 {
		t.Errorf("%d rows and %d bad ones: %v", len(got.Rows), len(bad), err)
	}
	many = strings.Replace(many, "<Client/>", "<Client/><Client/>", 1)
	if _, _, err := DecodeReport([]byte(many)); err == nil || !strings.Contains(err.Error(), "more than 50000 clients") {
		t.Errorf("one row more: %v", err)
	}
}
