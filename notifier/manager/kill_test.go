package manager

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"statewire/notifier/wire"
	"statewire/store/storetest"
)

// childEnv names the folder of a manager that this test program is to run, to be killed.
const childEnv = "STATEWIRE_TEST_MANAGER"

// runChild runs a manager until it is killed.
func runChild(dir string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // also where nobody is left to kill it
	defer cancel()
	m, err := Open(killed(dir), Deps{})
	if err == nil {
		err = m.Run(ctx)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func killed(dir string) Config {
	return Config{Dir: filepath.Join(dir, "notifier"), Box: filepath.Join(dir, "bgb.box"), Server: "push1", ServerID: 1,
		PresenceInterval: 5 * time.Minute}
}

// A manager that is killed again and again while reports come has loaded each of them in the end, in their order, and
// each once.
func TestKillAnywhereLosesNoReport(t *testing.T) {
	dir := t.TempDir()
	b := &bench{t: t, now: time.Now(), cfg: killed(dir)}
	if err := os.MkdirAll(filepath.Join(b.cfg.Box, "bad"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(storetest.Seed(t), 1))
	last, version := map[int]wire.Row{}, uint64(0)
	report := func() string {
		version++
		row := on(r.IntN(20)+1, version, 1, 0)
		last[int(row.Client[15])] = row
		return b.put(delta(version, row))
	}
	for range 6 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), childEnv+"="+dir)
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		awaitLoaded(t, filepath.Join(b.cfg.Box, report()))
		for end := time.Now().Add(time.Duration(r.IntN(150)) * time.Millisecond); time.Now().Before(end); {
			report()
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed
	}
	b.open()
	defer b.Close()
	had := uint64(0)
	if s := b.servers[1]; s != nil {
		had = s.Version
	}
	b.step()
	t.Logf("%d reports, %d of them loaded by managers that were killed", version, had)
	for n, row := range last {
		if c := b.clients[row.Client]; c == nil || c.Session != row.Session || !c.online() {
			t.Errorf("client %d: %+v, want session %d", n, c, row.Session)
		}
	}
	if s := b.servers[1]; s.Version != version || len(b.files("bad"))+len(b.files(".")) > 0 {
		t.Errorf("version %d of %d, left %v, set aside %v", s.Version, version, b.files("."), b.files("bad"))
	}
	for _, id := range b.messageIDs() {
		if id == wire.VersionMissed {
			t.Error("a report counts as missed")
		}
	}
}

// awaitLoaded waits until a file is loaded.
func awaitLoaded(t *testing.T, path string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err != nil {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%s is not loaded", path)
		}
	}
}
