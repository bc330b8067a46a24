package runner

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/notifier/wire"
	"statewire/packs"
	"statewire/smx"
	"statewire/trust"
)

const childVariable = "STATEWIRE_TEST_RUNNER_CHILD"

// life is what a child process is told.
type life struct {
	Store    string
	Client   uuid.UUID
	Site     uuid.UUID
	Document []byte
	Envelope []byte
	Effects  string // a file that gets a line with each run
	Die      int    // at this step of the store, before it; negative: behind it
}

// dying kills its process at a write.
type dying struct {
	Store
	at, die int
}

func (d *dying) PutTask(t cache.Task, pack string, version [4]uint32) error {
	if d.at++; d.at == d.die {
		d.kill()
	}
	err := d.Store.PutTask(t, pack, version)
	if -d.at == d.die {
		d.kill()
	}
	return err
}

func (d *dying) kill() {
	self, _ := os.FindProcess(os.Getpid())
	_ = self.Kill()
	select {}
}

// lining is an agent that writes a line for each state that a task raises.
type lining struct{ path string }

func (s lining) SendNow()      {}
func (s lining) PollNow()      {}
func (s lining) Resend() error { return nil }
func (s lining) Raise(...cache.State) error {
	f, err := os.OpenFile(s.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("ran\n")
	return errors.Join(err, f.Close())
}

// liveInChild is an agent's process: it takes a task, and prints the last step that it tells.
func liveInChild() {
	text := os.Getenv(childVariable)
	if text == "" {
		return
	}
	var l life
	must(json.Unmarshal([]byte(text), &l))
	doc, err := trust.Read(l.Document)
	must(err)
	file, err := cache.Open(l.Store, cache.Options{Client: smx.ClientID(l.Client)})
	must(err)
	r, err := New(Deps{Client: l.Client, Site: l.Site.String, Trust: func() *trust.Document { return doc },
		Store: &dying{Store: file.Client(smx.ClientID(l.Client)), die: l.Die}, Agent: lining{l.Effects},
		Rules: Rules{Tasks: Run, Allow: packs.Destructive}, Log: quiet})
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	go func() { must(r.Run(ctx)) }()
	r.SiteTime(time.Now())
	r.Connected()
	r.Request(9, l.Envelope)
	for {
		select {
		case <-ctx.Done():
			fmt.Println("silence")
			os.Exit(1)
		case <-r.Answers():
		}
		for _, a := range r.Take() {
			m, err := wire.DecodeResponse(a.Payload)
			must(err)
			if a.Kind == wire.Response {
				cancel()
				fmt.Println(m.Step, m.Code)
				os.Exit(0)
			}
		}
	}
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// Whenever an agent's process is killed, before and behind each write, what a task does is done once at most, and the
// site is told a step that is true.
func TestAKilledAgentRunsATaskOnceAtMost(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts many processes")
	}
	s, client := newSite(t), uuid.New()
	document := s.doc.Envelope()
	own := packs.BuiltIn()
	for die, want := range map[int]struct {
		said string
		ran  int
	}{1: {"succeeded", 1}, -1: {"succeeded", 1}, 2: {"succeeded", 1}, -2: {"failed interrupted", 0},
		3: {"failed interrupted", 1}, -3: {"succeeded", 1}} {
		dir := t.TempDir()
		r := wire.RequestMessage{TaskID: 1, Task: uuid.New(), Type: wire.TypePack, Site: s.id, Client: client,
			Issued: time.Now(), NotAfter: time.Now().Add(time.Hour), Pack: own.ID, PackVersion: own.Version.String(),
			PackHash: own.Hash, Name: "Statewire.Utility.TestEvent"}
		l := life{Store: filepath.Join(dir, "agent.db"), Client: client, Site: s.id, Document: document,
			Envelope: s.envelope(wire.RequestType, r.Encode()), Effects: filepath.Join(dir, "effects"), Die: die}
		if said := live(t, l); said != "" {
			t.Fatalf("killed at write %d, it says %q", die, said)
		}
		l.Die = 0
		for range 2 {
			said := live(t, l)
			if ran := lines(l.Effects); said != want.said || ran != want.ran {
				t.Errorf("killed at write %d: %q, and it ran %d times; want %q, %d", die, said, ran, want.said, want.ran)
			}
		}
	}
}

func live(t *testing.T, l life) string {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	out, err := cmd.Output()
	if l.Die == 0 && err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func lines(path string) int {
	text, _ := os.ReadFile(path) // none: it did not run
	return bytes.Count(text, []byte("\n"))
}

// packKey is the pack key in a folder of keys.
func packKey(t *testing.T, dir string, doc *trust.Document) (string, ed25519.PrivateKey) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(dir, "pack-*.key"))
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return doc.PackKeys[0].ID, key.(ed25519.PrivateKey)
}
