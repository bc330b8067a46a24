package notifier

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"statewire/identity"
)

const (
	benchClients = 19_500 // as many as a process of 20,000 open files can hold
	benchWoken   = 10_000
	benchRounds  = 5
)

// process is a server, or its clients, in a process of its own. It is told what to do by lines and answers with lines.
type process struct {
	b   *testing.B
	pid int
	in  io.WriteCloser
	out *bufio.Reader
}

func startProcess(b *testing.B, name string, args ...string) *process {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, " "))
	if name != os.Args[0] {
		cmd.Env = os.Environ()
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(b, err)
	out, err := cmd.StdoutPipe()
	check(b, err)
	check(b, cmd.Start())
	end := sync.OnceFunc(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	b.Cleanup(end)
	return &process{b: b, pid: cmd.Process.Pid, in: in, out: bufio.NewReader(out)}
}

// child starts this test anew for one part.
func startChild(b *testing.B, args ...string) *process { return startProcess(b, os.Args[0], args...) }

// ask tells the process something and returns its answer.
func (p *process) ask(line string) string {
	p.b.Helper()
	if line != "" {
		_, err := io.WriteString(p.in, line+"\n")
		check(p.b, err)
	}
	answer, err := p.out.ReadString('\n')
	if err != nil {
		p.b.Fatalf("ask %q: %v", line, err)
	}
	return strings.TrimSpace(answer)
}

func (p *process) number(line string) float64 {
	p.b.Helper()
	n, err := strconv.ParseFloat(p.ask(line), 64)
	check(p.b, err)
	return n
}

func (p *process) kill() {
	process, err := os.FindProcess(p.pid)
	check(p.b, err)
	check(p.b, process.Kill())
	process.Wait()
}

// resident is the memory of the process, in bytes.
func (p *process) resident() float64 {
	p.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	check(p.b, err)
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	check(p.b, err)
	return kib * 1024
}

// cpu is the processor time of the process.
func (p *process) cpu() time.Duration {
	p.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	check(p.b, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, err := strconv.Atoi(fields[11])
	check(p.b, err)
	system, err := strconv.Atoi(fields[12])
	check(p.b, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// quiet waits until the process has nothing to do.
func (p *process) quiet() {
	for last := p.cpu(); ; {
		time.Sleep(time.Second)
		now := p.cpu()
		if now-last < 50*time.Millisecond {
			return
		}
		last = now
	}
}

// benchSite is a site whose clients are made where they run: its folder is all that they need.
func benchSite(b *testing.B) string {
	dir := b.TempDir()
	_, err := identity.Open(filepath.Join(dir, "identity"), identity.Options{})
	check(b, err)
	return dir
}

// BenchmarkLimitMemoryOfIdleClients measures what one more idle client with a certificate costs the server. Goal: at
// most 20 KB, better 16.
func BenchmarkLimitMemoryOfIdleClients(b *testing.B) {
	for b.Loop() {
		dir := benchSite(b)
		server := startChild(b, "server", dir, "127.0.0.1:0")
		addr := server.ask("")
		clients := startChild(b, "clients", dir, addr, "channel", strconv.Itoa(benchClients))
		server.quiet()
		before := server.resident()
		clients.ask("connect")
		if online := server.number("online"); online != benchClients {
			b.Fatalf("%v of %d are online", online, benchClients)
		}
		server.quiet()
		busy := server.resident()
		server.ask("collect") // what the handshakes left goes back to the system within minutes
		server.quiet()
		b.ReportMetric(0, "ns/op")
		b.ReportMetric((server.resident()-before)/benchClients/1000, "KB/client")
		b.ReportMetric((busy-before)/benchClients/1000, "KB/client-at-once")
		b.ReportMetric(server.number("goroutines")/benchClients, "goroutines/client")
	}
}

// BenchmarkRatioWakeToBareLoop compares a wake to 10,000 clients without a throttle with a loop that writes the same
// bytes to the same kind of connections, one after the other. Goal: at most 2 times the processor time.
func BenchmarkRatioWakeToBareLoop(b *testing.B) {
	dir := benchSite(b)
	ours := benchWake(b, "server", dir, "channel")
	bare := benchWake(b, "bare", dir, "bare")
	compareWakes(b, ours, bare)
}

// BenchmarkRatioWakeToNATS compares it with a message of nats-server to as many subscribers over TLS with certificates.
func BenchmarkRatioWakeToNATS(b *testing.B) {
	dir := benchSite(b)
	compareWakes(b, benchWake(b, "server", dir, "channel"), benchNATS(b, dir))
}

// BenchmarkRatioPushToBareLoop compares a task for each of 10,000 clients, without a throttle, with a loop that writes
// the same bytes to the same kind of connections, one after the other.
func BenchmarkRatioPushToBareLoop(b *testing.B) {
	dir := benchSite(b)
	compareWakes(b, benchWake(b, "server", dir, "channel").pushes(), benchWake(b, "bare", dir, "bare").pushes())
}

// BenchmarkRatioPushToNATS compares it with a message as long to as many subscribers of nats-server.
func BenchmarkRatioPushToNATS(b *testing.B) {
	dir := benchSite(b)
	theirs := benchNATS(b, dir)
	theirs.trigger = func() { theirs.clients.ask("publish-task") }
	compareWakes(b, benchWake(b, "server", dir, "channel").pushes(), theirs)
}

// BenchmarkLimitThrottledPushes measures how many tasks leave in a second at the usual throttle. Goal: 42 ± 5 %.
func BenchmarkLimitThrottledPushes(b *testing.B) {
	for b.Loop() {
		dir := benchSite(b)
		server := startChild(b, "server", dir, "127.0.0.1:0", "42")
		clients := startChild(b, "clients", dir, server.ask(""), "channel", strconv.Itoa(benchWoken))
		clients.ask("connect")
		server.quiet()
		server.ask("push")
		time.Sleep(3 * time.Second) // what was saved up has left
		from, began := clients.number("count"), time.Now()
		time.Sleep(40 * time.Second)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric((clients.number("count")-from)/time.Since(began).Seconds(), "tasks/s")
	}
}

// BenchmarkRatioWakeToMosquitto compares it with a message of mosquitto in the same way.
func BenchmarkRatioWakeToMosquitto(b *testing.B) {
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		if path = "/usr/sbin/mosquitto"; exists(path) != nil {
			b.Skip("mosquitto is not installed: apt-get install mosquitto")
		}
	}
	dir := benchSite(b)
	compareWakes(b, benchWake(b, "server", dir, "channel"), benchMosquitto(b, path, dir))
}

func exists(path string) error { _, err := os.Stat(path); return err }

// wakes is a server and 10,000 clients of it.
type wakes struct {
	b       *testing.B
	server  *process
	clients *process
	trigger func()
	took    []float64 // seconds
	cpu     time.Duration
}

func benchWake(b *testing.B, kind, dir, protocol string) *wakes {
	b.Helper()
	w := &wakes{b: b, server: startChild(b, kind, dir, "127.0.0.1:0")}
	addr := w.server.ask("")
	w.clients = startChild(b, "clients", dir, addr, protocol, strconv.Itoa(benchWoken))
	w.clients.ask("connect")
	w.trigger = func() { w.server.ask("wake") }
	return w
}

// pushes has tasks sent instead of wakes.
func (w *wakes) pushes() *wakes {
	w.trigger = func() { w.server.ask("push") }
	return w
}

// round wakes all clients once.
func (w *wakes) round() {
	w.server.quiet()
	w.clients.ask("expect")
	before, began := w.server.cpu(), time.Now()
	w.trigger()
	w.clients.ask("woken")
	w.took = append(w.took, time.Since(began).Seconds())
	w.cpu += w.server.cpu() - before
}

func compareWakes(b *testing.B, ours, theirs *wakes) {
	b.Helper()
	for b.Loop() {
		for range benchRounds {
			ours.round()
			theirs.round()
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours.cpu.Seconds()/theirs.cpu.Seconds(), "ratio-cpu")
	b.ReportMetric(median(ours.took)/median(theirs.took), "ratio-time")
	b.ReportMetric(median(ours.took)*1000, "ms")
	b.ReportMetric(median(theirs.took)*1000, "theirs-ms")
	b.ReportMetric(ours.cpu.Seconds()*1e6/benchRounds/benchWoken, "cpu-µs/client")
}

func benchNATS(b *testing.B, dir string) *wakes {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "nats-server")
	build := exec.Command("go", "build", "-modfile=tools.mod", "-o", binary, "github.com/nats-io/nats-server/v2")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		b.Skipf("nats-server cannot be built: %v\n%s", err, out)
	}
	addr := freeAddress(b)
	_, port, _ := net.SplitHostPort(addr)
	config := filepath.Join(dir, "nats.conf")
	check(b, os.WriteFile(config,
		fmt.Appendf(nil, "host: 127.0.0.1\nport: %s\nmax_connections: 30000\nping_interval: \"1h\"\n"+
			"tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true, handshake_first: true, timeout: 60 }\n",
			port, dir+"/identity/server.pem", dir+"/identity/server.pem", dir+"/identity/ca.crt"), 0o600))
	return benchOther(b, dir, addr, "nats", startProcess(b, binary, "-c", config, "-l", filepath.Join(dir, "nats.log")))
}

func benchMosquitto(b *testing.B, path, dir string) *wakes {
	b.Helper()
	addr := freeAddress(b)
	_, port, _ := net.SplitHostPort(addr)
	config := filepath.Join(dir, "mosquitto.conf")
	check(b, os.WriteFile(config, fmt.Appendf(nil, "listener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\n"+
		"require_certificate true\nallow_anonymous true\npersistence false\nlog_dest none\nuser root\n", port,
		dir+"/identity/ca.crt", dir+"/identity/server.pem", dir+"/identity/server.pem"), 0o600))
	return benchOther(b, dir, addr, "mqtt", startProcess(b, path, "-c", config))
}

// benchOther is another server's wakes: one more client publishes them.
func benchOther(b *testing.B, dir, addr, protocol string, server *process) *wakes {
	b.Helper()
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	w := &wakes{b: b, server: server, clients: startChild(b, "clients", dir, addr, protocol, strconv.Itoa(benchWoken))}
	w.clients.ask("connect")
	w.trigger = func() { w.clients.ask("publish") }
	return w
}

func freeAddress(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(b, err)
	defer l.Close()
	return l.Addr().String()
}

// BenchmarkLimitReconnectOfAll measures how long 19,500 clients need to come back after their server was killed, and
// what that costs it.
func BenchmarkLimitReconnectOfAll(b *testing.B) {
	for b.Loop() {
		dir := benchSite(b)
		addr := freeAddress(b)
		server := startChild(b, "server", dir, addr)
		server.ask("")
		clients := startChild(b, "clients", dir, addr, "channel", strconv.Itoa(benchClients))
		clients.ask("connect")
		clients.ask("return")
		server.kill()
		time.Sleep(2 * time.Second)
		server = startChild(b, "server", dir, addr)
		server.ask("")
		began, online := time.Now(), 0.
		for online < benchClients {
			time.Sleep(100 * time.Millisecond)
			if online = server.number("online"); time.Since(began) > 10*time.Minute {
				b.Fatalf("%v of %d are online", online, benchClients)
			}
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(time.Since(began).Seconds(), "s")
		b.ReportMetric(server.cpu().Seconds(), "cpu-s")
		b.ReportMetric(server.number("refused"), "refused")
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
