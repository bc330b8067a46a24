package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"statewire/smx"
	"statewire/store/storetest"
)

// A replay or a drop that is killed at any system call loses nothing and counts nothing twice: given again, it is done.
func TestNoKillOfADeadCommandBreaksTheAccount(t *testing.T) {
	t.Parallel()
	needTool(t, "strace")
	chance := rand.New(rand.NewPCG(storetest.SeedOr(t, 1), 78))
	data, file := siteDir(t), filepath.Join(dataDir(t), "mended.xml")
	hits, stored, dropped := 0, 0, 0
	for round, at := range deadPlaces(chance) {
		name := fmt.Sprintf("f%d.SMX", round)
		body, _ := badReport(round, 1)
		drop(t, data, name, body)
		command(t, data, "ingest", "--once") // ends with 1, for something is bad
		stored += 2
		args := []string{"dead", "drop", name + ".1.SMX", "--reason", "a test"}
		if round%3 < 2 {
			r, _ := report(round, smx.NoPriority, 2, 2)
			if err := os.WriteFile(file, smx.AppendReport(nil, r), 0o600); err != nil {
				t.Fatal(err)
			}
			args = []string{"dead", "replay", name + ".1.SMX", "--file", file}
		}
		if spawn(t, data, at.strace(data), args...).wait(2*patience) != 0 {
			hits++
		}
		accountIs(t, data, map[string]int{"arrived": 3 * (round + 1), "duplicate": 0})
		done(t, data, "ingest", "--once")
		if len(corrupt(t, data)) > 0 {
			done(t, data, args...)
		}
		if round%3 < 2 {
			stored++
		} else {
			dropped++
		}
		accountIs(t, data, map[string]int{"arrived": 3 * (round + 1), "stored": stored, "dropped": dropped, "set_aside": 0,
			"duplicate": 0})
		if t.Failed() {
			t.Fatalf("after a kill at %v", at)
		}
	}
	t.Logf("%d commands killed", hits)
	if hits == 0 {
		t.Error("the kills met nothing")
	}
}

// deadPlaces are kills in the midst of what changes the inbox, and of what the engine does then.
func deadPlaces(chance *rand.Rand) []kill {
	return []kill{
		{"renameat2", 1 + chance.IntN(3), true}, {"unlinkat", 1 + chance.IntN(3), true}, // of a replay
		{"unlinkat", 1 + chance.IntN(2), true}, // of a drop
		{"fsync", 1 + chance.IntN(24), false},
	}
}
