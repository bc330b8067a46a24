package manager

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.etcd.io/bbolt"

	"statewire/notifier/wire"
)

// results tells the manager something at once.
func (b *bench) results(results ...wire.Result) {
	b.t.Helper()
	r := told(0, results...)
	r.Time = b.now
	if err := b.Results(b.t.Context(), r); err != nil {
		b.t.Fatal(err)
	}
}

const (
	actionQuery = `toString(ActionID), toString(ActionState), toString(TotalClients), toString(CompletedClients),
		toString(FailedClients), toString(OfflineClients), toString(QueuedClients), toString(CancelledClients),
		toString(UnknownClients), toString(RunFailedClients), toString(LateClients)) FROM SMS_ClientActionStatus ORDER BY ActionID`
	stepQuery = `toString(task_id), substring(toString(client_id), 35), CAST(step, 'String'), CAST(waited, 'String'),
		toString(unsolicited)) FROM task_steps FINAL ORDER BY task_id, client_id`
)

func TestTheTablesSayHowFarTasksAre(t *testing.T) {
	w := newTables(t)
	w.load(full(1, on(1, 8, 1, 0), on(3, 8, 1, 0)))
	of := w.asks(1, 2, 3, 4, 5, 6)
	w.sync()
	w.equal("created", w.rows(actionQuery), "1 1 6 0 0 4 2 0 0 0 0")
	w.now = today.Add(3 * time.Second)
	ended := said(of, 4, wire.StepFailed)
	ended.Code, ended.Detail, ended.ExitCode, ended.Pushes = "exit", "it ended badly", -7, 3
	ended.Received, ended.Started = today.Add(time.Second), today.Add(2*time.Second)
	ended.Finished, ended.Output = today.Add(90*time.Second), wire.Output{Size: 70, Truncated: true, Text: "a\nüber"}
	w.results(said(of, 1, wire.StepPushed), said(of, 3, wire.StepRunning), ended, said(of, 5, wire.StepRefused),
		said(of, 9, wire.StepSucceeded))
	w.sync()
	w.equal("under way", w.rows(actionQuery), "1 1 6 2 1 2 1 0 0 1 0")
	w.equal("steps", w.rows(stepQuery), "1 01 pushed  0", "1 02 queued  0", "1 03 running  0", "1 04 failed  0",
		"1 05 refused  0", "1 06 queued  0", "1 09 succeeded  1")
	w.equal("one step", w.rows(`toString(task_guid), reason, detail, toString(exit_code), toString(server_id),
		toString(push_id), toString(push_count), toString(step_time), toString(pushed_time), toString(received_time),
		toString(started_time), toString(finished_time), toString(output_size), toString(output_truncated), output,
		toString(not_after)) FROM task_steps FINAL WHERE step = 'failed'`),
		of.ID.String()+" exit it ended badly -7 1 7 3 2026-11-28 22:00:03.000000 2026-11-28 22:00:00.000000 "+
			"2026-11-28 22:00:01.000000 2026-11-28 22:00:02.000000 2026-11-28 22:01:30.000000 70 1 a\nüber "+
			"2026-11-28 23:00:00.000000")
	w.equal("the task", w.rows(`toString(task_guid), toString(task_type), name, pack, pack_version, CAST(class, 'String'),
		arrayStringConcat(param_names), arrayStringConcat(param_values), actor, CAST(state, 'String'), toString(lasting),
		toString(created_time), toString(open)) FROM tasks FINAL`), of.ID.String()+" 15 Statewire.Utility.TestEvent "+
		"Statewire.Utility 1.0.0.0 benign Text hello local:1 active 0 2026-11-28 22:00:00.000000 1")
	w.pass(61 * time.Minute)
	w.results(said(of, 2, wire.StepSucceeded), said(of, 3, wire.StepSucceeded))
	w.sync()
	w.equal("over", w.rows(actionQuery), "1 0 6 2 1 0 0 0 3 1 1")
	w.exec("ALTER TABLE task_steps DELETE WHERE 1 SETTINGS mutations_sync = 2")
	w.equal("over, and no step is kept", w.rows(actionQuery), "1 0 6 2 1 0 0 0 3 1 1")
	if status := w.statusOf(w.kept(1)); status.Counts.Succeeded+status.Counts.Failed+status.Counts.Refused+
		status.Counts.Expired+status.Counts.Unknown != 6 {
		t.Errorf("counts %+v", status.Counts)
	}
}

// kept is a task as the file has it.
func (b *bench) kept(n uint64) *task {
	b.t.Helper()
	t, err := b.lookup(By{}, fmt.Sprint(n))
	if err != nil {
		b.t.Fatal(err)
	}
	return t
}

// Ten thousand targets are a few inserts, and what did not change is not written.
func TestALargeTaskIsAFewInserts(t *testing.T) {
	w := newTables(t)
	var clients []int
	for n := range 10_000 {
		clients = append(clients, n+1)
	}
	of := w.asks(clients...)
	w.sync()
	parts := func() (out []string) {
		return w.rows(`table, toString(count()), toString(sum(rows)), toString(max(max_block_number))) FROM system.parts
			WHERE database = currentDatabase() AND table IN ('tasks', 'task_steps') AND active GROUP BY table ORDER BY table`)
	}
	before := parts()
	w.equal("inserts", before, "task_steps 1 10000 1", "tasks 1 1 1")
	w.sync()
	w.checked = time.Time{}
	w.sync()
	w.begin()
	w.sync()
	w.equal("nothing changed", parts(), before...)
	var said1000 []wire.Result
	for n := range 1000 {
		said1000 = append(said1000, said(of, n+1, wire.StepSucceeded))
	}
	w.results(said1000...)
	w.results(said1000...)
	w.sync()
	after := w.rows(`table, toString(count()), toString(sum(rows))) FROM system.parts WHERE database = currentDatabase()
		AND table IN ('tasks', 'task_steps') AND active GROUP BY table ORDER BY table`)
	w.equal("1,000 results", after, "task_steps 2 11000", "tasks 2 2")
	w.results(said1000...)
	w.sync()
	w.equal("again", w.rows(`table, toString(count()), toString(sum(rows))) FROM system.parts WHERE
		database = currentDatabase() AND table IN ('tasks', 'task_steps') AND active GROUP BY table ORDER BY table`), after...)
}

func TestTheMirrorOfTasksCatchesUp(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *tables, of *task)
	}{
		{"a kill between the insert and its mark", func(w *tables, of *task) {
			w.results(said(of, 2, wire.StepRunning))
			_, steps, err := w.waitingSteps(1 << 62)
			if err == nil {
				err = w.insertSteps(w.t.Context(), steps)
			}
			if err != nil {
				w.t.Fatal(err)
			}
			w.restart()
		}},
		{"the store was made anew",
			func(w *tables, _ *task) { w.exec("TRUNCATE TABLE tasks"); w.exec("TRUNCATE TABLE task_steps") }},
		{"the steps were made anew", func(w *tables, _ *task) { w.exec("TRUNCATE TABLE task_steps") }},
		{"the tasks were made anew", func(w *tables, _ *task) { w.exec("TRUNCATE TABLE tasks") }},
		{"it was away, and the process ended meanwhile", func(w *tables, of *task) {
			w.results(said(of, 3, wire.StepSucceeded))
			w.restart()
		}},
		{"steps in the middle are gone", func(w *tables, _ *task) {
			w.exec("ALTER TABLE task_steps DELETE WHERE client_id = '" + id(2).String() + "' SETTINGS mutations_sync = 2")
		}},
		{"an older copy of it was put back", func(w *tables, of *task) {
			w.exec("OPTIMIZE TABLE task_steps FINAL")
			w.exec("ALTER TABLE task_steps UPDATE step = 'queued' WHERE client_id = '" + id(1).String() +
				"' SETTINGS mutations_sync = 2") // the column alone: its version says what it was
			w.exec("ALTER TABLE task_steps DELETE WHERE client_id = '" + id(1).String() + "' SETTINGS mutations_sync = 2")
			w.exec("INSERT INTO task_steps (task_guid, client_id, task_id, step, not_after, version) VALUES ('" +
				of.ID.String() +
				"', '" + id(1).String() + "', 1, 'queued', now64(6), 72057594037927937)")
		}},
		{"a second task, and the first is over", func(w *tables, of *task) {
			w.results(said(of, 1, wire.StepSucceeded), said(of, 2, wire.StepRefused), said(of, 3, wire.StepFailed))
			w.asks(1, 2)
			w.exec("TRUNCATE TABLE tasks")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newTables(t)
			of := w.asks(1, 2, 3)
			w.results(said(of, 1, wire.StepPushed), said(of, 8, wire.StepSucceeded),
				wire.Result{Task: uuid.UUID{9: 1}, Client: id(1), Step: wire.StepSucceeded, Push: 1})
			w.sync()
			c.do(w, of)
			w.begin()
			w.sync()
			w.sync()
			var want []string
			for n := uint64(1); n <= w.taskNumber; n++ {
				err := w.Manager.db.View(func(tx *bbolt.Tx) error {
					return eachStep(tx, n, func(key stepKey, s *step) error {
						want = append(want, fmt.Sprintf("%d %s %s %s %d", n, key.client.String()[34:], s.Step, s.Was, bit(s.Unsolicited)))
						return nil
					})
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			want = append([]string{"0 01 succeeded  1"}, want...)
			w.equal("steps", w.rows(stepQuery), want...)
			if got := len(w.rows("toString(task_id)) FROM tasks FINAL")); got != int(w.taskNumber) {
				t.Errorf("%d tasks, want %d", got, w.taskNumber)
			}
			if w.tasksWait() {
				t.Error("something waits for the tables")
			}
			parts := "table, toString(sum(rows))) FROM system.parts WHERE database = currentDatabase() AND active GROUP BY " +
				"table ORDER BY table"
			before := w.rows(parts)
			w.checked = time.Time{}
			w.sync()
			w.equal("nothing more is written", w.rows(parts), before...)
		})
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Who is erased is in no task any more, wherever that is learned, and the counts still add up.
func TestAnErasedClientIsForgottenInTasks(t *testing.T) {
	for _, byRestore := range []bool{false, true} {
		w := newTables(t)
		w.load(full(1, on(1, 8, 1, 0), on(2, 8, 1, 0)))
		of := w.asks(1, 2, 3)
		w.results(said(of, 1, wire.StepSucceeded), said(of, 3, wire.StepReceived), wire.Result{Task: uuid.UUID{9: 1},
			Client: id(4), Step: wire.StepSucceeded, Push: 1})
		w.sync()
		w.exec(fmt.Sprintf("ALTER TABLE task_steps DELETE WHERE client_id IN ('%s', '%s') SETTINGS mutations_sync = 2", id(2),
			id(4)))
		if byRestore { // of the state file: it knows nothing of the erasure
			w.exec(fmt.Sprintf("INSERT INTO serial_floors VALUES ('%s', 7, now64(6)), ('%s', 7, now64(6))", hashOf(id(2)),
				hashOf(id(4))))
		} else if err := w.Forget(t.Context(), []uuid.UUID{id(2), id(4)}); err != nil {
			t.Fatal(err)
		}
		w.begin()
		w.sync()
		w.sync()
		w.equal("the tables", w.rows(actionQuery), "1 1 2 2 0 0 0 0 0 0 0")
		if got := w.counts(of); got != "1 received, 1 succeeded" {
			t.Errorf("the file has %s", got)
		}
		if c := w.kept(1).Counts; c.Targets != 2 || c.Queued != 0 {
			t.Errorf("counts %+v", c)
		}
		w.equal("results that nobody asked for", w.rows("toString(client_id)) FROM task_steps WHERE client_id = '"+
			id(4).String()+"'"))
		w.restart()
		w.results(said(of, 3, wire.StepSucceeded))
		if s := w.kept(1); s.open() || s.State != TaskEnded {
			t.Errorf("its clients have come to their end, and the task is %s", s.State)
		}
	}
}

// A state file that was lost leaves no task that goes on for ever, and takes no number twice.
func TestTasksOfALostStateFileEndInTheTables(t *testing.T) {
	w := newTables(t)
	of := w.asks(1, 2, 3)
	w.results(said(of, 1, wire.StepSucceeded), said(of, 2, wire.StepRunning))
	w.sync()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.cfg.Dir, stateFile)); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.begin()
	w.sync()
	w.equal("the lost one", w.rows(actionQuery), "1 0 3 1 0 0 0 0 2 0 0")
	again := w.asks(1)
	if again.Number != 2 || again.Version <= of.Version {
		t.Errorf("the next task has number %d and version %d", again.Number, again.Version)
	}
	w.sync()
	w.equal("both", w.rows(actionQuery), "1 0 3 1 0 0 0 0 2 0 0", "2 1 1 0 0 1 0 0 0 0 0")
}

// Steps go tasks.keep after a task ended; what it came to stays, in the file and in the tables.
func TestTotalsOfATaskStay(t *testing.T) {
	w := newTables(t)
	w.Configure(Live{Tasks: TasksConfig{Keep: 48 * time.Hour}})
	w.now = time.Now().UTC().Truncate(time.Second) // the tables have a clock of their own
	of, lasts := w.asks(1, 2), w.asks(3)
	w.results(said(of, 1, wire.StepSucceeded), said(lasts, 3, wire.StepReceived))
	w.now = w.now.Add(2 * time.Hour)
	w.Manager.step()
	w.sync()
	counts := w.kept(1).Counts
	w.now = w.now.Add(47*time.Hour + 50*time.Minute)
	w.Manager.step()
	if got := w.counts(of); got != "1 expired, 1 succeeded" {
		t.Errorf("before its time: %s", got)
	}
	w.now = w.now.Add(time.Hour)
	w.Manager.step()
	if got := w.counts(of); got != "" || w.kept(1).Counts != counts {
		t.Errorf("after its time: %s, counts %+v, were %+v", got, w.kept(1).Counts, counts)
	}
	w.begin()
	w.sync()
	w.equal("totals", w.rows(actionQuery)[:1], "1 0 2 1 0 0 0 0 1 0 0")
	if w.tasksWait() {
		t.Error("something waits for the tables")
	}
}

// More than a tenth of a task that expired without having been pushed is told once, and a tenth is not.
func TestATaskThatExpiredUnpushedIsTold(t *testing.T) {
	for _, c := range []struct{ pushed, want int }{{18, 0}, {17, 1}, {0, 1}} {
		b := newBench(t)
		var clients []int
		for n := range 20 {
			clients = append(clients, n+1)
		}
		of := b.asks(clients...)
		for n := range c.pushed {
			b.results(said(of, n+1, wire.StepPushed))
		}
		b.now = today.Add(59 * time.Minute)
		b.step()
		if slices.Contains(b.messageIDs(), wire.TasksExpired) {
			t.Error("told before its time")
		}
		b.pass(20 * time.Minute)
		n := 0
		for _, m := range b.messageIDs() {
			if m == wire.TasksExpired {
				n++
			}
		}
		if n != c.want {
			t.Errorf("%d of 20 were pushed: told %d times, want %d", c.pushed, n, c.want)
		}
	}
}

// The time to the first answer counts, by the client's channel, and no second answer and no word of the site.
func TestTheTimeToAnAnswerIsCounted(t *testing.T) {
	b := newBench(t)
	b.now = today.Add(700 * time.Millisecond)
	byHTTP := on(2, 8, 1, 0)
	byHTTP.Channel = wire.HTTP
	b.load(full(1, on(1, 8, 1, 0), byHTTP))
	of := b.asks(1, 2, 3)
	b.results(said(of, 1, wire.StepPushed))
	if n, _ := answers(t, b, "tcp"); n != 0 {
		t.Error("a push counts as an answer")
	}
	b.now = b.now.Add(250 * time.Millisecond)
	b.results(said(of, 1, wire.StepReceived))
	b.now = b.now.Add(2 * time.Second)
	b.results(said(of, 1, wire.StepSucceeded), said(of, 2, wire.StepRefused), said(of, 9, wire.StepSucceeded))
	b.pass(2 * time.Hour) // client 3 expires
	if n, sum := answers(t, b, "tcp"); n != 1 || sum != 0.25 {
		t.Errorf("%d answers by TCP in %g s, want one in 0.25", n, sum)
	}
	if n, sum := answers(t, b, "http"); n != 1 || sum != 2.25 {
		t.Errorf("%d answers by HTTP in %g s, want one in 2.25", n, sum)
	}
	if text := b.metrics.answered.WithLabelValues("tcp").(prometheus.Metric).Desc().String(); !strings.Contains(text,
		`"statewire_push_seconds"`) {
		t.Errorf("it is called %s", text)
	}
}

func answers(t *testing.T, b *bench, channel string) (n uint64, sum float64) {
	t.Helper()
	var m dto.Metric
	if err := b.metrics.answered.WithLabelValues(channel).(prometheus.Metric).Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
}
