package relay

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"statewire/identity"
	"statewire/inbox"
)

// TestI1AnswerComesLast reads the order off the system calls of one POST: sync of the file, rename, sync of the folder,
// answer.
func TestI1AnswerComesLast(t *testing.T) {
	trace := traceOnePost(t, os.Args[0])
	if fault := orderFault(trace); fault != "" {
		t.Errorf("%s in:\n%s", fault, strings.Join(trace, "\n"))
	}
}

// TestI1DetectsAnEarlyAnswer holds the test above against mutant M3, a relay that answers before the rename.
func TestI1DetectsAnEarlyAnswer(t *testing.T) {
	const put = "	name, err := w.inbox.Put(batch[0].lane, w.file, w.now())\n"
	const early = `	lane := batch[0].lane
	for _, d := range batch {
		d.finish("early.SMX", nil)
	}
	batch = nil
	time.Sleep(200 * time.Millisecond)
	name, err := w.inbox.Put(lane, w.file, w.now())
`
	binary := mutant(t, "writer.go", put, early)
	trace := traceOnePost(t, binary)
	if fault := orderFault(trace); !strings.Contains(fault, "answered before") {
		t.Errorf("the mutant passes (%q):\n%s", fault, strings.Join(trace, "\n"))
	}
}

// TestI3NoFailureIsAcknowledged makes system calls of a running relay fail from outside: nothing is acknowledged, and
// once they work again so does the relay.
func TestI3NoFailureIsAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	needTool(t, "strace")
	data := newData(t)
	root := filepath.Join(data, "inbox")
	c := startChild(t, data, os.Args[0], nil)
	own, err := filepath.Glob(root + "/tmp/" + strconv.Itoa(c.pid) + "-*") // where it writes files until they are whole
	if err != nil || len(own) != 1 {
		t.Fatalf("folders for temporary files: %v %v", own, err)
	}
	in := []string{"-P", own[0], "-P", root + "/incoming"}
	for _, tc := range []struct {
		name, call, errno, code string
		at                      []string
		files                   int // that may turn up though they were not acknowledged
	}{
		{"sync of the file", "fsync", "EIO", codeStorageFault, nil, 0},
		{"sync of the file", "fsync", "ENOSPC", codeDiskFull, nil, 0},
		{"sync of the file", "fsync", "EDQUOT", codeDiskFull, nil, 0},
		{"sync of the folder", "fsync", "EIO", codeStorageFault, []string{"-P", root + "/incoming"}, 1},
		{"rename", "renameat2", "EIO", codeStorageFault, in, 0},
		{"rename", "renameat2", "EROFS", codeStorageFault, in, 0},
		{"create", "openat", "ENOSPC", codeDiskFull, in, 0},
		{"create", "openat", "EMFILE", codeStorageFault, in, 0},
		{"create", "openat", "EROFS", codeStorageFault, in, 0},
	} {
		t.Run(tc.name+" "+tc.errno, func(t *testing.T) {
			before := len(smxFiles(t, root))
			detach := c.attach(t, append(tc.at, "-e", "trace="+tc.call, "-e", "inject="+tc.call+":error="+tc.errno)...)
			if status, body := c.post(t); status != 503 || !strings.Contains(body, tc.code) {
				t.Errorf("%d %s", status, body)
			}
			if status, body := c.post(t); status != 503 {
				t.Errorf("and then %d %s", status, body)
			}
			if n := len(smxFiles(t, root)); n > before+tc.files {
				t.Errorf("%d files more", n-before)
			}
			detach()
			eventually(t, "taken again", func() bool { status, _ := c.post(t); return status == http.StatusAccepted })
		})
	}
	left, err := filepath.Glob(own[0] + "/*.tmp")
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files stay: %v %v", left, err)
	}
}

// attach traces the running relay and returns once every thread of it is traced.
func (c *childRelay) attach(t *testing.T, args ...string) (detach func()) {
	t.Helper()
	cmd := exec.Command("strace", append([]string{"-f", "-p", strconv.Itoa(c.pid), "-o", os.DevNull}, args...)...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); err != nil || !strings.Contains(line, "attached") {
		t.Fatalf("strace: %q %v", line, err)
	}
	go io.Copy(io.Discard, said)
	return func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() }
}

// newData makes a data folder with an inbox and certificates.
func newData(t *testing.T) string {
	data := t.TempDir()
	in, err := inbox.Open(data+"/inbox", nil)
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	if _, err := identity.Open(data+"/identity", identity.Options{}); err != nil {
		t.Fatal(err)
	}
	return data
}

func smxFiles(t *testing.T, root string) []string {
	var found []string
	for _, pattern := range []string{"incoming/*.SMX", "incoming/*/*.SMX"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, paths...)
	}
	return found
}

// childRelay is a relay in a process of its own.
type childRelay struct {
	addr string
	tls  *tls.Config
	pid  int
	stop func()
}

// startChild runs the test binary as a relay, below the given command.
func startChild(t *testing.T, data, binary string, below []string) *childRelay {
	t.Helper()
	args := append(below, binary)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+data)
	log, err := os.Create(filepath.Join(data, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	id, err := identity.Open(data+"/identity", identity.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &childRelay{tls: &tls.Config{RootCAs: id.Pool(), ServerName: "localhost"}, pid: cmd.Process.Pid}
	c.stop = func() { in.Close(); cmd.Wait() }
	t.Cleanup(c.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		text, _ := os.ReadFile(filepath.Join(data, "log"))
		t.Fatalf("the relay did not start: %v\n%s", err, text)
	}
	c.addr = strings.TrimSpace(line)
	return c
}

func (c *childRelay) post(t *testing.T) (int, string) {
	t.Helper()
	conn, err := tls.Dial("tcp", c.addr, c.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(60 * time.Second))
	io.WriteString(conn, post(report(testClient, 10)))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// traceOnePost returns the system calls of a relay that takes one report.
func traceOnePost(t *testing.T, binary string) []string {
	t.Helper()
	needTool(t, "strace")
	data := newData(t)
	file := filepath.Join(data, "trace")
	c := startChild(t, data, binary, []string{"strace", "-f", "-qq", "-yy", "-s", "0", "-o", file,
		"-e", "trace=read,write,fsync,fdatasync,rename,renameat,renameat2,linkat"})
	if status, body := c.post(t); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	c.stop()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return calls(string(text))
}

var unfinished = regexp.MustCompile(`^(\d+) +(.*) <unfinished \.\.\.>$`)
var resumed = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)

// calls puts every call into one line, where it ended; a write where it began, since from then on bytes may be out.
func calls(trace string) []string {
	var lines []string
	pending := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSpace(trace), "\n") {
		if m := unfinished.FindStringSubmatch(line); m != nil {
			pending[m[1]] = m[2]
			if strings.HasPrefix(m[2], "write(") {
				lines = append(lines, m[2])
			}
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			if call := pending[m[1]]; !strings.HasPrefix(call, "write(") {
				lines = append(lines, call+m[2])
			}
			continue
		}
		_, call, _ := strings.Cut(line, " ")
		lines = append(lines, strings.TrimSpace(call))
	}
	return lines
}

var (
	readTCP    = regexp.MustCompile(`^read\(\d+<TCP.*\) = (\d+)$`)
	writeTCP   = regexp.MustCompile(`^write\(\d+<TCP`)
	syncFile   = regexp.MustCompile(`^f(data)?sync\(\d+<.*\.tmp>\) += 0$`)
	renamedDir = regexp.MustCompile(`^(rename|linkat).*= 0$`)
	syncDir    = regexp.MustCompile(`^fsync\(\d+<.*/incoming>\) += 0$`)
)

// orderFault goes through the calls from the one that read the report on.
func orderFault(trace []string) string {
	steps := []struct {
		what string
		is   *regexp.Regexp
	}{{"the file's sync", syncFile}, {"the rename", renamedDir}, {"the folder's sync", syncDir}, {"the answer", writeTCP}}
	next, reading := 0, true
	for _, call := range trace {
		if reading {
			m := readTCP.FindStringSubmatch(call)
			if m == nil {
				continue
			}
			n, _ := strconv.Atoi(m[1])
			reading = n < 1000
			continue
		}
		if next < 3 && writeTCP.MatchString(call) {
			return "answered before " + steps[next].what
		}
		if next < len(steps) && steps[next].is.MatchString(call) {
			next++
		}
	}
	if next < len(steps) {
		return "never came to " + steps[next].what
	}
	return ""
}

// mutant builds the test binary with one change to a source file of this package.
func mutant(t *testing.T, file, old, new string) string {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(source), old) != 1 {
		t.Fatalf("%s has changed; give the mutant its place again:\n%s", file, old)
	}
	dir := t.TempDir()
	changed, overlay, binary := filepath.Join(dir, file), filepath.Join(dir, "overlay.json"), filepath.Join(dir,
		"mutant.test")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{changed: strings.Replace(string(source), old, new, 1),
		overlay: string(text)} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "test", "-c", "-trimpath", "-overlay", overlay, "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the mutant: %v\n%s", err, out)
	}
	return binary
}

// plainBinary builds the test binary as a relay runs in earnest: the race detector takes several times the memory.
func plainBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "relay.test")
	build := exec.Command("go", "test", "-c", "-trimpath", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the program is built: nothing is compiled twice
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// needTool skips where a tool is missing, but not where everything has to run.
func needTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatalf("%s is missing", name)
	}
	t.Skipf("%s is missing", name)
}
