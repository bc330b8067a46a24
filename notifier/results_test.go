package notifier

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// says is what a client says of a task.
func says(task uuid.UUID, step wire.Step, output string) []byte {
	return wire.ResponseMessage{Time: time.Now(), Push: 5, TaskID: 13, Task: task, Step: step, ExitCode: 3,
		Output: wire.Output{Size: uint64(len(output)), Text: output}}.Encode()
}

// confirmed expects a confirmation of results.
func (p *peer) confirmed() []uuid.UUID {
	p.t.Helper()
	tasks, err := wire.SplitTasks(p.expect(wire.ResponseConfirm))
	check(p.t, err)
	return tasks
}

// resultFiles are the result files in the box, by version; they are taken out.
func (b *bed) resultFiles() (all []wire.Results) {
	b.t.Helper()
	names, err := filepath.Glob(filepath.Join(b.deps.Box, "*.BTS"))
	check(b.t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		check(b.t, err)
		r, bad, err := wire.DecodeResults(text)
		check(b.t, err)
		if len(bad) > 0 {
			b.t.Fatalf("bad rows: %v", bad)
		}
		all = append(all, r)
		check(b.t, os.Remove(name))
	}
	slices.SortFunc(all, func(a, b wire.Results) int { return int(a.Version) - int(b.Version) })
	return all
}

// rows are those of all files.
func (b *bed) resultRows() (rows []wire.Result) {
	b.t.Helper()
	for _, f := range b.resultFiles() {
		rows = append(rows, f.Results...)
	}
	return rows
}

// spooled are the files of the spool.
func spooled(t testing.TB, dir, prefix string) []string {
	names, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	check(t, err)
	return names
}

// A result is on the disk when it is confirmed, told at once, and told again by the next file, whereupon it leaves the
// spool. Nothing is written where there is nothing.
func TestAResultIsDurableBeforeItIsConfirmed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m, id := b.site.enroll(t, ""), uuid.New()
		p := b.online(m, 1)
		time.Sleep(45 * time.Second)
		if files := b.resultFiles(); len(files) > 0 {
			t.Errorf("%d files without a result", len(files))
		}
		at := time.Now().UTC()
		p.send(wire.Received, says(id, wire.StepRunning, "not yet"))
		p.send(wire.Response, says(id, wire.StepFailed, "disk full"))
		if got := p.confirmed(); !slices.Equal(got, []uuid.UUID{id}) {
			t.Errorf("confirmed: %v", got)
		}
		files := spooled(t, b.deps.Spool, segmentName)
		if len(files) != 1 {
			t.Fatalf("the spool has %v", files)
		}
		data, err := os.ReadFile(files[0])
		check(t, err)
		if all, damaged := records(data); damaged || len(all) != 1 || all[0].response.Task != id {
			t.Errorf("the spool holds %v", all)
		}
		synctest.Wait()
		told, _ := b.told()
		end := wire.Result{Task: id, TaskID: 13, Push: 5, Client: m.id, Step: wire.StepFailed, ExitCode: 3, Received: at,
			Output: wire.Output{Size: 9, Text: "disk full"}}
		running := wire.Result{Task: id, TaskID: 13, Push: 5, Client: m.id, Step: wire.StepRunning, Received: at}
		if len(told) != 2 || !slices.Contains(told, end) || !slices.Contains(told, running) {
			t.Errorf("told %+v", told)
		}
		time.Sleep(30 * time.Second)
		got := b.resultFiles()
		if len(got) != 1 || got[0].Version != 1 || got[0].Epoch != 1 || got[0].ServerID != 1 || got[0].Server != "push1" {
			t.Fatalf("the box has %+v", got)
		}
		if rows := got[0].Results; len(rows) != 2 || !slices.Contains(rows, end) || !slices.Contains(rows, running) {
			t.Errorf("the file tells %+v", rows)
		}
		if left := spooled(t, b.deps.Spool, segmentName); len(left) > 0 || b.metric("spool_bytes", "") != 0 {
			t.Errorf("left in the spool: %v", left)
		}
		time.Sleep(time.Minute)
		if files := b.resultFiles(); len(files) > 0 {
			t.Error("results are written twice")
		}
	})
}

// A client that breaks a rule in what it says of tasks is told so and closed.
func TestAttackAnswersThatAreNoneEndAClient(t *testing.T) {
	id := uuid.New()
	for name, f := range map[string]frame{
		"no document":               {wire.Response, []byte("x")},
		"an end that is none":       {wire.Response, says(id, wire.StepRunning, "")},
		"a beginning that is none":  {wire.Received, says(id, wire.StepSucceeded, "")},
		"a step that is the site's": {wire.Received, says(id, wire.StepPushed, "")},
		"nothing":                   {wire.Received, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := start(t, newSite(t), true)
				p := b.online(b.site.enroll(t, ""), 1)
				p.send(f.kind, f.payload)
				p.closed(wire.CloseBadFrame)
				time.Sleep(time.Minute)
				if told, _ := b.told(); len(told) > 0 || len(b.resultRows()) > 0 {
					t.Errorf("told %v", told)
				}
			})
		})
	}
}

// What a client holds at its sign-in is told, and not how it ended: that comes with its response.
func TestWhatAClientHoldsIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m, ended, runs := b.site.enroll(t, ""), uuid.New(), uuid.New()
		b.online(m, 1, func(in *wire.SignInMessage) {
			in.Held = []wire.Held{{Task: ended, Step: "succeeded"}, {Task: runs, Step: "running"}, {Step: "received"}}
		})
		time.Sleep(31 * time.Second)
		told, _ := b.told()
		if rows := b.resultRows(); len(told) != 2 || len(rows) != 2 {
			t.Fatalf("told %v and by file %v", told, rows)
		}
		for _, row := range told {
			want := map[uuid.UUID]wire.Step{ended: wire.StepReceived, runs: wire.StepRunning}[row.Task]
			if row.Step != want || row.Client != m.id || row.Received.IsZero() {
				t.Errorf("told %+v", row)
			}
		}
	})
}

// By HTTP a result is confirmed by the answer to the request that brings it, and frames are counted there, too.
func TestAResultByHTTPIsConfirmed(t *testing.T) {
	overHTTP(t, func(t *testing.T, h *byHTTP, m member) {
		n, id := h.signIn(m, 1), uuid.New()
		body := wire.AppendFrame(nil, wire.Response, says(id, wire.StepSucceeded, "x"))
		if got := h.says(n, body, wire.ResponseConfirm); string(got) != string(id[:]) {
			t.Errorf("confirmed: %x", got)
		}
		flood := slices.Repeat(wire.AppendFrame(nil, 200, nil), framesAllowed)
		got, err := wire.DecodeClose(h.says(n, flood, wire.Close))
		if err != nil || got.Code != wire.CloseLimit {
			t.Errorf("a flood is answered %v %v", got, err)
		}
	})
}

// A box that cannot be written leaves results in the spool: the server says so, and writes them when it can.
func TestResultsStayWhileTheBoxCannotBeWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		time.Sleep(31 * time.Second)
		check(t, os.RemoveAll(b.deps.Box))
		check(t, os.WriteFile(b.deps.Box, nil, 0o600))
		for n := range 3 {
			id := uuid.New()
			p.send(wire.Received, says(id, wire.StepReceived, ""))
			p.send(wire.Response, says(id, wire.StepSucceeded, fmt.Sprint(n)))
			p.confirmed()
			time.Sleep(31 * time.Second)
			if err := b.Ready(); err == nil || !strings.Contains(err.Error(), "result files are not written") {
				t.Errorf("ready: %v", err)
			}
		}
		if n := strings.Count(b.log.String(), "result files are not written;"); n != 1 {
			t.Errorf("it is logged %d times", n)
		}
		check(t, os.Remove(b.deps.Box))
		check(t, os.Mkdir(b.deps.Box, 0o700))
		time.Sleep(31 * time.Second)
		if rows := b.resultRows(); len(rows) != 6 {
			t.Errorf("%d rows are told: %v", len(rows), rows)
		}
		if left := spooled(t, b.deps.Spool, segmentName); len(left) > 0 {
			t.Errorf("left in the spool: %v", left)
		}
		if err := b.results.ready(); err != nil {
			t.Error(err)
		}
	})
}

// A full spool confirms nothing, and says so. Once there is room, clients come again.
func TestAFullSpoolConfirmsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m := b.site.enroll(t, "")
		p := b.online(m, 1)
		check(t, os.RemoveAll(b.deps.Box))
		check(t, os.WriteFile(b.deps.Box, nil, 0o600))
		b.spool.mu.Lock()
		b.spool.most = 100_000
		b.spool.mu.Unlock()
		confirmed := 0
		for range 5 {
			p.send(wire.Response, says(uuid.New(), wire.StepSucceeded, strings.Repeat("x", 30_000)))
			time.Sleep(time.Second)
			confirmed += len(p.frames)
			for len(p.frames) > 0 {
				p.confirmed()
			}
		}
		if confirmed != 3 || b.metric("results_total", "refused") != 2 {
			t.Errorf("%d are confirmed, %v refused", confirmed, b.metric("results_total", "refused"))
		}
		if b.Ready() == nil || b.spool.ready() == nil {
			t.Error("a server whose spool is full is ready")
		}
		time.Sleep(2 * time.Minute)
		p.nothing()
		check(t, os.Remove(b.deps.Box))
		check(t, os.Mkdir(b.deps.Box, 0o700))
		time.Sleep(31 * time.Second)
		if told := p.closed(wire.CloseLimit); told.RetryAfter < time.Second || told.RetryAfter > time.Minute {
			t.Errorf("told to come again after %v", told.RetryAfter)
		}
		if rows := b.resultRows(); len(rows) != 3 {
			t.Errorf("%d rows are told", len(rows))
		}
		p = b.online(m, 2)
		p.send(wire.Response, says(uuid.New(), wire.StepSucceeded, strings.Repeat("x", 30_000)))
		p.confirmed()
	})
}

// One client fills its share of the spool, and nobody else's. Steps that it invents are bounded, too.
func TestAttackOneClientDoesNotFillTheSpool(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		check(t, os.RemoveAll(b.deps.Box))
		check(t, os.WriteFile(b.deps.Box, nil, 0o600))
		m, other := b.site.enroll(t, ""), b.site.enroll(t, "")
		p, q := b.online(m, 1), b.online(other, 1)
		output := strings.Repeat("x", wire.MaxInline)
		for range 200 {
			p.send(wire.Response, says(uuid.New(), wire.StepSucceeded, output))
		}
		for range 700 {
			p.send(wire.Received, says(uuid.New(), wire.StepReceived, ""))
		}
		time.Sleep(time.Second)
		if size, _ := b.spooled(); size > spoolPerClient || size < spoolPerClient*9/10 {
			t.Errorf("%d bytes of one client", size)
		}
		if n := b.stepsKept(); n != stepsPerClient {
			t.Errorf("%d steps of one client", n)
		}
		q.send(wire.Response, says(uuid.New(), wire.StepSucceeded, output))
		q.confirmed()
		q.send(wire.Received, says(uuid.New(), wire.StepReceived, ""))
		time.Sleep(time.Minute) // the box cannot be written: nothing is forgotten of it
		for range 50 {
			p.send(wire.Received, says(uuid.New(), wire.StepReceived, ""))
		}
		time.Sleep(time.Second)
		if n := b.stepsKept(); n != stepsPerClient+1 {
			t.Errorf("%d steps", n)
		}
		check(t, os.Remove(b.deps.Box))
		check(t, os.Mkdir(b.deps.Box, 0o700))
		time.Sleep(31 * time.Second)
		if size, clients := b.spooled(); clients > 0 || size != 0 {
			t.Errorf("%d bytes, of %d clients, are left", size, clients)
		}
	})
}

// spooled is how much the spool holds, and of how many clients.
func (b *bed) spooled() (bytes int64, clients int) {
	b.spool.mu.Lock()
	defer b.spool.mu.Unlock()
	return b.spool.size, len(b.spool.used)
}

// stepsKept is how many steps wait for the next file.
func (b *bed) stepsKept() int {
	b.results.mu.Lock()
	defer b.results.mu.Unlock()
	return len(b.results.steps)
}

// A disk that takes nothing confirms nothing, the server says so, and it goes on once the disk does.
func TestADiskThatTakesNothingConfirmsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		p := b.online(b.site.enroll(t, ""), 1)
		check(t, os.RemoveAll(b.deps.Spool))
		for range 2 {
			p.send(wire.Response, says(uuid.New(), wire.StepSucceeded, "x"))
		}
		time.Sleep(31 * time.Second)
		p.nothing()
		if err := b.Ready(); err == nil || strings.Count(b.log.String(), "results are not kept;") != 1 {
			t.Errorf("ready: %v; the log: %s", err, b.log)
		}
		if len(b.spool.used) > 0 || b.spool.queued != 0 {
			t.Error("what found no room takes some")
		}
		check(t, os.Mkdir(b.deps.Spool, 0o700))
		time.Sleep(31 * time.Second)
		p.closed(wire.CloseLimit)
		check(t, b.Ready())
	})
}

// What a server that stops was told is in its last file, and told at once.
func TestAServerThatStopsTellsItsResults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := start(t, newSite(t), true)
		m, id := b.site.enroll(t, ""), uuid.New()
		p := b.online(m, 1)
		p.send(wire.Received, says(id, wire.StepRunning, ""))
		p.send(wire.Response, says(id, wire.StepSucceeded, "x"))
		p.confirmed()
		b.stop()
		if told, _ := b.told(); len(told) != 2 || len(b.resultRows()) != 2 {
			t.Errorf("told %v", told)
		}
		if left := spooled(t, b.deps.Spool, segmentName); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// Files have at most so many rows and bytes, and no row is lost between them, however hostile texts are.
func TestResultFilesAreBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	texts := []string{"", strings.Repeat("\"", wire.MaxWhyBytes), strings.Repeat("\r", 900), strings.Repeat("<&>", 300),
		strings.Repeat("\x01", 1000), strings.Repeat("ü", 500)}
	outputs := []string{"", strings.Repeat("]]>", wire.MaxInline/3), strings.Repeat("\x00", wire.MaxInline),
		strings.Repeat("\n", wire.MaxInline)}
	var rows []wire.Result
	for range 60 {
		output := outputs[r.IntN(len(outputs))]
		row := wire.Result{Task: uuid.New(), TaskID: 1 << 62, Push: 1 << 62, Client: uuid.New(), Step: wire.StepSucceeded,
			Code: texts[r.IntN(len(texts))], Detail: texts[r.IntN(len(texts))], ExitCode: -1 << 31, Pushed: time.Now(),
			Received: time.Now(), Started: time.Now(), Finished: time.Now(), Pushes: 1 << 62,
			Output: wire.Output{Size: 1 << 62, Truncated: true, Text: output}}
		one := wire.Results{Server: "push1", ServerID: 3, Epoch: 1, Version: 1, Time: time.Now(),
			Results: []wire.Result{row}}
		if got := len(one.Encode()); got > rowBytes(row)+1200 {
			t.Fatalf("a row of %d bytes counts as %d", got, rowBytes(row))
		}
		rows = append(rows, row)
	}
	many := slices.Repeat(rows, 100)
	for left := many; len(left) > 0; {
		n := fitting(left)
		p := wire.Results{Server: "push1", ServerID: 1, Epoch: 1, Version: 1, Time: time.Now(), Results: together(left[:n])}
		if got := len(p.Encode()); got > wire.MaxReportBytes || n < len(left) && got < wire.MaxReportBytes/4 {
			t.Errorf("a file of %d bytes", got)
		}
		left = left[n:]
	}
	if n := fitting(make([]wire.Result, wire.MaxResults+1)); n != wire.MaxResults {
		t.Errorf("a file of %d rows", n)
	}
}
