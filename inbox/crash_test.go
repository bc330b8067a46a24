package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"statewire/inbox/disk"
	"testing"
	"time"
)

// ledger is what a test knows about the files it gave to an inbox, and what must therefore be true of it after a crash.

// view looks at what lies in an inbox.

// check says what the inbox breaks of the promises.

// reload starts a loader on what is left: every waiting file must be handed out once, under the claim time it had.

// everywhere makes the model check the ledger against every crash before and after each of its steps.

func everywhere(t *testing.T, m *model, g *ledger) (states *int) {
	states = new(int)
	look := func(call string, at disk.Folder, name string) error {
		m.crashes(func(left *model) {
			*states++
			if err := g.check(left); err != nil {
				t.Fatalf("power cut around %s %v/%s (step %d): %v", call, at, name, m.steps, err)
			}
		})
		return nil
	}
	m.before, m.after = look, look
	return states
}

func TestNoPowerCutBreaksThePromises(t *testing.T) {
	dropped := filepath.Join(t.TempDir(), "site.SMX")
	if err := os.WriteFile(dropped, []byte("copied"), 0o600); err != nil {
		t.Fatal(err)
	}
	reason := Reason{Time: time.Unix(1, 0), Code: "xml_syntax", Reason: "no"}
	tests := []struct {
		name string
		run  func(t *testing.T, m *model, d *Dir, g *ledger)
	}{
		{"what Put acknowledged is there, what it did not is there whole or not at all",
			func(t *testing.T, m *model, d *Dir, g *ledger) {
				for i, text := range []string{"first", "second", "third"} {
					g.offer(text)
					put(t, d, Lane(i), text)
					g.accept(text)
				}
			}},
		{"what Copy acknowledged is there", func(t *testing.T, m *model, d *Dir, g *ledger) {
			g.offer("copied")
			_, err := d.Copy(context.Background(), dropped)
			check(t, err)
			g.accept("copied")
		}},
		{"a claim time that was seen is never another, and a file goes only when done",
			func(t *testing.T, m *model, d *Dir, g *ledger) {
				dropFiles(m, g, Normal, 5)
				l := loader(t, d, 2, 2)
				for c := claim(t, l); c != nil; c = claim(t, l) {
					for _, f := range c.Files {
						data := read(t, f)
						g.claimed[data] = f.Claimed
						delete(g.kept, data) // as if its rows were stored
						if err := c.Done(f); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}},
		{"a bad file is in a lane or in corrupt with its reason, and so is each bad record",
			func(t *testing.T, m *model, d *Dir, g *ledger) {
				dropFiles(m, g, High, 2)
				c := claim(t, loader(t, d, 2, 2))
				for i, f := range c.Files {
					data := read(t, f)
					record := fmt.Sprint("record of ", data)
					g.offer(record)
					check(t, setRecordAside(c, f, i+1, []byte(record), reason))
					g.records[fmt.Sprintf("%s.%d.SMX", f.Name, i+1)] = record
					check(t, c.SetAside(f, reason))
					g.aside[data] = true
				}
			}},
		{"a replayed file is in corrupt or waits", func(t *testing.T, m *model, d *Dir, g *ledger) {
			m.drop(disk.CorruptFolder, "A.SMX", "bad")
			m.drop(disk.CorruptFolder, "A.SMX"+reasonSuffix, `{"code":"x"}`)
			g.accept("bad")
			b, err := d.Bad("A.SMX")
			check(t, err)
			_, err = d.Replay(b, []byte("bad"))
			check(t, err)
		}},
		{"a report in process goes back to waiting", func(t *testing.T, m *model, d *Dir, g *ledger) {
			m.drop(disk.ProcessFolder, "A.SMX", "was claimed")
			g.offer("was claimed")
			loader(t, d, 2, 2)
			g.accept("was claimed")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, g := newModel(), newLedger()
			d := newDir(quick(), "/model", m, slog.New(slog.DiscardHandler))
			states := everywhere(t, m, g)
			test.run(t, m, d, g)
			m.before, m.after = nil, nil
			m.crashes(func(left *model) { check(t, g.check(left)) })
			t.Logf("%d states after %d steps", *states, m.steps)
		})
	}
}

// failAt lets one step of a Put fail, before or after it took effect, and all others work.

func dropFiles(m *model, g *ledger, lane Lane, n int) {
	for i := range n {
		text := fmt.Sprint("dropped ", i)
		m.drop(disk.Folder(lane), fmt.Sprintf("%d.SMX", i), text)
		g.accept(text)
	}
}

// TestAFailedSyncIsTakenForEveryFileItMayHaveBeenFor: the kernel tells one caller of a failure, and the next that all
// is well.
