package site

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"statewire/identity"
	"statewire/internal/control"
)

// callerEnv names the socket that this test binary, run anew as another user, is to call.
const callerEnv = "STATEWIRE_TEST_CALL"

func TestAttackOtherUsersGet403OnEveryCallOfASocket(t *testing.T) {
	if socket := os.Getenv(callerEnv); socket != "" {
		callEach(socket)
	}
	if os.Getuid() != 0 {
		t.Skip("needs root, to become others")
	}
	data, err := os.MkdirTemp("/tmp", "statewire-owner-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	const owner, other = 61234, 61235
	if err := os.Chown(data, owner, -1); err != nil {
		t.Fatal(err)
	}
	served := newCalls(identity.AtResync)
	for _, need := range identity.Needs() {
		if need.Door == identity.AtResync {
			served.HandleFunc(need.Name, func(http.ResponseWriter, *http.Request) {})
		}
	}
	handler, err := served.handler(data)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(data, "s")
	ln, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var g errgroup.Group
	serveHTTP(ctx, &g, ln, handler)
	t.Cleanup(func() { stop(); _ = g.Wait() })
	// The modes of files keep others away; a person may have opened them all the same.
	for path, mode := range map[string]os.FileMode{data: 0o777, socket: 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	self := filepath.Join(data, "test")
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(self, text, 0o755); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[uint32]string{0: "200", owner: "200", other: "403"} {
		cmd := exec.Command(self, "-test.run", "^"+t.Name()+"$")
		cmd.Env, cmd.Dir = append(os.Environ(), callerEnv+"="+socket), data
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: 61234}}
		out, err := cmd.Output()
		answers := strings.Fields(string(out))
		if err != nil || len(answers) != len(served.patterns) {
			t.Errorf("user %d: %v, %q", uid, err, out)
		}
		for i, got := range answers {
			if got != want {
				t.Errorf("user %d calls %s: %s, want %s", uid, served.patterns[i], got, want)
			}
		}
	}
}

// callEach calls everything that has a row, prints the answers and ends.
func callEach(socket string) {
	client := &http.Client{Transport: control.Transport(socket)}
	for _, need := range identity.Needs() {
		if need.Door != identity.AtResync {
			continue
		}
		method, path, _ := strings.Cut(need.Name, " ")
		req, err := http.NewRequest(method, "http://statewire"+path, strings.NewReader("{}"))
		if err != nil {
			panic(err)
		}
		// Whatever the caller says of itself, the system knows better.
		req.Header.Set("X-UID", "0")
		resp, err := client.Do(req)
		if err != nil {
			panic(err)
		}
		resp.Body.Close()
		os.Stdout.WriteString(strconv.Itoa(resp.StatusCode) + "\n")
	}
	os.Exit(0)
}

// Each folder that is not as setup made it is named at once, with its modes as chmod takes them.
func TestAllFoldersOfASplitSiteThatAreWrongAreNamed(t *testing.T) {
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "run", "notifier"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, mode := range splitModes(data) {
		if err := os.MkdirAll(filepath.Join(data, path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(data, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := rightModes(data); err != nil {
		t.Fatal(err)
	}
	box, spool := filepath.Join(data, presenceBox), filepath.Join(data, spoolDir)
	if err := os.Chmod(box, os.ModeSetgid|0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(spool, 0o755); err != nil {
		t.Fatal(err)
	}
	want := box + " has mode 2777 where a split site has 2770, " + spool + " has mode 0755 where a split site has 0700; " +
		splitAgain
	if err := rightModes(data); err == nil || err.Error() != want {
		t.Errorf("it says\n%v\nwant\n%s", err, want)
	}
}
