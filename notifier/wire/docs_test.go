package wire

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// What docs/channel.md prints is what this version reads, and its tables have every message and every code.
func TestTheDocumentationIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/channel.md")
	if err != nil {
		t.Fatal(err)
	}
	var examples []string
	for i, part := range strings.Split(string(page), "```") {
		if text, is := strings.CutPrefix(part, "xml\n"); is && i%2 == 1 {
			examples = append(examples, text)
		}
	}
	if len(examples) != 2 {
		t.Fatalf("%d examples", len(examples))
	}
	signIn, confirm, _ := strings.Cut(examples[0], "\n")
	if m, err := DecodeSignIn([]byte(signIn)); err != nil || m.Channel != HTTP || m.Session != 812 || m.Why == "" {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := DecodeSignInConfirm([]byte(confirm)); err != nil || m.Session != 812 || m.KeepAlive.Minutes() != 15 {
		t.Errorf("%+v, %v", m, err)
	}
	r, bad, err := DecodeReport([]byte(examples[1]))
	if err != nil || len(bad) > 0 || len(r.Rows) != 2 || r.Rows[1].Why == "" || r.Rows[0].Certificate != 12 {
		t.Errorf("%+v, %v, %v", r, bad, err)
	}
	for _, id := range []int{ServerStarted, ListenerFailed, PortUnreachable, LimitReached, ClockOff, ManagerStarted,
		BadFile,
		ServerSilent, VersionMissed, TasksExpired} {
		if !strings.Contains(string(page), fmt.Sprintf("\n| %d | ", id)) {
			t.Errorf("no line for message %d", id)
		}
	}
	for _, reason := range []string{Online, OfflineClosed, OfflineReset, OfflineSilent, OfflineStop, OfflineLost,
		OfflineFull,
		OfflineRevoked, Duplicate} {
		if !strings.Contains(string(page), ", `"+reason+"`") {
			t.Errorf("no line for reason %s", reason)
		}
	}
}
