package notifier

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
)

// some are records of clients.
func some(n int) (all []record, data []byte) {
	for i := range n {
		m, err := wire.DecodeResponse(says(uuid.UUID{1, byte(i)}, wire.StepSucceeded, strings.Repeat("o", i*10)))
		if err != nil {
			panic(err)
		}
		r := record{client: uuid.UUID{2, byte(i)}, at: time.UnixMilli(1_790_000_000_000).UTC(), payload: m.Encode(),
			response: m}
		all, data = append(all, r), r.encode(data)
	}
	return all, data
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	want, data := some(5)
	got, damaged := records(data)
	if damaged || len(got) != len(want) {
		t.Fatalf("%d records, damaged %v", len(got), damaged)
	}
	for i := range got {
		if got[i].row() != want[i].row() || got[i].row().Received != want[i].at || got[i].row().Client != want[i].client {
			t.Errorf("%+v is read as %+v", want[i].row(), got[i].row())
		}
	}
	for n := range len(data) { // a machine that stopped while the last one was being written
		cut, damaged := records(data[:n])
		if damaged || len(cut) > len(want)-1 {
			t.Fatalf("the first %d of %d bytes: %d records, damaged %v", n, len(data), len(cut), damaged)
		}
		if zeros, damaged := records(append(slices.Clone(data[:n]), make([]byte, 100)...)); damaged ||
			len(zeros) != len(cut) {
			t.Fatalf("with zeros behind %d bytes: %d records, damaged %v", n, len(zeros), damaged)
		}
	}
}

// Of a file with a byte that is another, one record is lost, and it is said.
func TestOneDamagedRecordLosesNoOther(t *testing.T) {
	_, data := some(5)
	first := bytes.Index(data[1:], []byte(recordMark)) + 1
	second := first + 1 + bytes.Index(data[first+1:], []byte(recordMark))
	for at := first; at < second; at++ {
		other := slices.Clone(data)
		other[at] ^= 0x20
		if got, damaged := records(other); !damaged || len(got) != 4 {
			t.Fatalf("byte %d: %d records, damaged %v", at, len(got), damaged)
		}
	}
}

func FuzzRecords(f *testing.F) {
	_, data := some(3)
	f.Add(data, 2)
	f.Add([]byte(recordMark), 0)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		all, _ := records(data)
		var out []byte
		for _, r := range all {
			out = r.encode(out)
		}
		again, damaged := records(out)
		if damaged || len(again) != len(all) {
			t.Fatalf("%d records are read again as %d, damaged %v", len(all), len(again), damaged)
		}
	})
}

// What was confirmed before a restart is told again, and leaves the spool once it is in a file.
func TestResultsOfAnEarlierRunAreToldAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		site := newSite(t)
		spool := filepath.Join(site.dir, "spool")
		check(t, os.MkdirAll(spool, 0o700))
		want, data := some(4)
		check(t, os.WriteFile(filepath.Join(spool, segmentName+"1"), data, 0o600))
		check(t, os.WriteFile(filepath.Join(spool, segmentName+"2"), nil, 0o600))
		damage := slices.Clone(data)
		damage[len(damage)/2] ^= 1
		check(t, os.WriteFile(filepath.Join(spool, segmentName+"3"), damage, 0o600))
		check(t, os.WriteFile(filepath.Join(spool, segmentName+"4"), []byte("nothing of ours"), 0o600))
		check(t, os.Mkdir(filepath.Join(spool, segmentName+"5"), 0o700))
		b := start(t, site, true)
		synctest.Wait()
		told, _ := b.told()
		if len(told) != 7 || !slices.Contains(told, want[3].row()) {
			t.Errorf("%d results are told: %+v", len(told), told)
		}
		for _, said := range []string{"a file of results is damaged", "path=" + filepath.Join(spool, segmentName+"3"),
			"a file of results cannot be read", filepath.Join(spool, damagedName+"4"), filepath.Join(spool, damagedName+"5")} {
			if !strings.Contains(b.log.String(), said) {
				t.Errorf("the log does not say %q:\n%s", said, b.log)
			}
		}
		time.Sleep(31 * time.Second)
		if rows := b.resultRows(); len(rows) != 7 {
			t.Errorf("%d rows are told by file", len(rows))
		}
		if left := spooled(t, spool, segmentName); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		if aside := spooled(t, spool, damagedName); len(aside) != 3 {
			t.Errorf("set aside: %v", aside)
		}
		kept, err := os.ReadFile(filepath.Join(spool, damagedName+"3"))
		if err != nil || !bytes.Equal(kept, damage) {
			t.Errorf("the damaged file is not kept as it was: %v", err)
		}
		check(t, b.Ready())
	})
}

// Results that wait together are made durable by one write, and confirmed to each client by one frame.
func TestManyResultsTakeOneSync(t *testing.T) {
	site := newSite(t)
	s, err := New(DefaultConfig(), Deps{Name: "push1", Spool: filepath.Join(site.dir, "spool"),
		Box: filepath.Join(site.dir, "bgb.box"), Certificate: site.own.Certificate, Callers: site.verifier})
	check(t, err)
	all, data := some(20)
	at := []*recorder{{}, {}}
	sessions := []*session{{link: at[0]}, {link: at[1]}}
	for i, r := range all {
		s.spool.add(sessions[i%2], r)
	}
	s.spool.flush()
	if at[0].count() != 1 || at[1].count() != 1 {
		t.Errorf("%d and %d frames confirm", at[0].count(), at[1].count())
	}
	if s.spool.active.good != int64(len(data)) || s.spool.queued != 0 || s.spool.size != int64(len(data)) {
		t.Errorf("%d bytes are durable", s.spool.active.good)
	}
	s.spool.seal()
}

// A server that is killed at any moment has lost no result that it confirmed, and counts none twice.
func TestI24AKilledServerLosesNoConfirmedResult(t *testing.T) {
	site := newSite(t)
	var confirmed sync.Map
	sent := map[uuid.UUID]bool{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"=server "+site.dir+" 127.0.0.1:0")
		in, err := cmd.StdinPipe()
		check(t, err)
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		var addr string
		_, err = fmt.Fscanln(out, &addr)
		check(t, err)
		m := site.enroll(t, "")
		c, err := tls.Dial("tcp", addr, clientTLS(m))
		check(t, err)
		_, err = c.Write(wire.AppendFrame(nil, wire.SignIn, hello(m, 1)))
		check(t, err)
		var done sync.WaitGroup
		enough := make(chan struct{})
		done.Go(func() {
			for n := 0; ; {
				kind, payload, err := wire.ReadFrame(c, wire.MaxFrame)
				if err != nil {
					return
				}
				if kind == wire.ResponseConfirm {
					tasks, _ := wire.SplitTasks(payload)
					for _, id := range tasks {
						confirmed.Store(id, true)
						if n++; n == 10*(round+1) {
							close(enough)
						}
					}
				}
			}
		})
		var mu sync.Mutex
		done.Go(func() {
			for range 400 {
				id := uuid.New()
				mu.Lock()
				sent[id] = true
				mu.Unlock()
				if _, err := c.Write(wire.AppendFrame(nil, wire.Response, says(id, wire.StepSucceeded, "x"))); err != nil {
					return
				}
			}
		})
		select {
		case <-enough:
		case <-time.After(20 * time.Second):
			t.Error("results are not confirmed")
		}
		check(t, cmd.Process.Kill())
		in.Close()
		io.Copy(io.Discard, out)
		cmd.Wait()
		c.Close()
		done.Wait()
	}
	b := start(t, site, false, func(cfg *Config, _ *Deps) { cfg.ResultsInterval = time.Second })
	rows := map[uuid.UUID]int{}
	until(t, "all that was left is in files", func() bool {
		for _, row := range b.resultRows() {
			rows[row.Task]++
		}
		return len(spooled(t, b.deps.Spool, segmentName)) == 0
	})
	for _, row := range b.resultRows() {
		rows[row.Task]++
	}
	count := 0
	confirmed.Range(func(id, _ any) bool {
		if count++; rows[id.(uuid.UUID)] != 1 {
			t.Errorf("a result that was confirmed is told %d times", rows[id.(uuid.UUID)])
		}
		return true
	})
	for id := range rows {
		if !sent[id] {
			t.Errorf("a result is told that nobody sent: %v", id)
		}
	}
	if count < 100 {
		t.Errorf("%d were confirmed", count)
	}
}
