package manager

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"statewire/notifier/wire"
	"statewire/store/storetest"
)

// A manager that is killed again and again while result files come, each of them copied back three times later on, has
// each client at its furthest step, once.
func TestKillAnywhereDoublesNoResult(t *testing.T) {
	dir := t.TempDir()
	b := &bench{t: t, now: time.Now(), cfg: killed(dir)}
	if err := os.MkdirAll(filepath.Join(b.cfg.Box, "bad"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.open()
	var clients []int
	for n := range 40 {
		clients = append(clients, n+1)
	}
	of := b.asks(clients...)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(storetest.Seed(t), 2))
	way := []wire.Step{wire.StepPushed, wire.StepReceived, wire.StepRunning, wire.StepSucceeded}
	at, files := map[int]int{}, map[string][]byte{}
	put := func() string {
		n := r.IntN(len(clients)) + 1
		step := min(at[n], len(way)-1)
		at[n]++
		results := told(uint64(len(files)+1), said(of, n, way[step]))
		name := wire.ResultsName()
		files[name] = results.Encode()
		return b.drop(name, files[name])
	}
	for range 5 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), childEnv+"="+dir)
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		awaitLoaded(t, filepath.Join(b.cfg.Box, put()))
		for end := time.Now().Add(time.Duration(r.IntN(100)) * time.Millisecond); time.Now().Before(end); {
			put()
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed
	}
	b.open()
	defer b.Close()
	b.step()
	want := map[string]int{}
	for _, n := range clients {
		step := "queued"
		if at[n] > 0 {
			step = string(way[min(at[n], len(way))-1])
		}
		want[step]++
	}
	check := func(when string) {
		t.Helper()
		c := b.kept(1).Counts
		got := map[string]int{"queued": c.Queued, "pushed": c.Pushed, "received": c.Received, "running": c.Running,
			"succeeded": c.Succeeded}
		for step, n := range got {
			if want[step] != n {
				t.Errorf("%s: %d clients are %s, want %d", when, n, step, want[step])
			}
		}
		if left, bad := b.files("."), b.files("bad"); len(left)+len(bad)+c.Late+c.Unsolicited > 0 ||
			c.Targets != len(clients) {
			t.Errorf("%s: left %d, set aside %d, counts %+v", when, len(left), len(bad), c)
		}
	}
	check("killed")
	for range 3 {
		for name, data := range files {
			b.drop(name, data)
		}
		b.step()
	}
	check("copied back three times")
	t.Logf("%d files", len(files))
}
