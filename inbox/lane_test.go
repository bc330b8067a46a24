package inbox

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"statewire/inbox/disk"
	"testing"
)

// refill keeps some lanes from ever running dry.
func refill(m *model, files int, lanes ...Lane) {
	for _, lane := range lanes {
		for n := len(m.list(disk.Folder(lane))); n < files; n++ {
			m.drop(disk.Folder(lane), fmt.Sprintf("%d.SMX", m.inodes+1), "x")
		}
	}
}

func TestNoLaneStarvesWhileOthersNeverRunDry(t *testing.T) {
	for _, chunk := range []int{1, 4} {
		for _, full := range [][]Lane{{High, Low}, {Normal, Low}, {High, Normal}, {High, Normal, Low}} {
			t.Run(fmt.Sprint(chunk, full), func(t *testing.T) {
				m := newModel()
				l := loader(t, newDir(quick(), "/model", m, slog.New(slog.DiscardHandler)), chunk, 2)
				var history []Lane
				for range 20 * laneShare {
					refill(m, 3*chunk, full...)
					c := claim(t, l)
					history = append(history, c.Files[0].Lane)
					if len(c.Files) > chunk {
						t.Fatalf("%d files from the %v lane, want at most %d", len(c.Files), c.Files[0].Lane, chunk)
					}
					check(t, c.Done(c.Files...))
				}
				got := map[Lane]int{}
				for i, lane := range history {
					if got[lane]++; i >= laneShare {
						got[history[i-laneShare]]--
					}
					for _, lane := range full {
						if i >= laneShare-1 && got[lane] == 0 {
							t.Fatalf("no chunk of the %v lane among %v", lane, history[i+1-laneShare:i+1])
						}
					}
				}
				if history[0] != full[0] || got[full[0]] < laneShare-int(lanes)+1 {
					t.Errorf("of the last %d chunks %d are of the %v lane, which is the first", laneShare, got[full[0]], full[0])
				}
			})
		}
	}
}

// A turn that was not needed is not saved up: the high lane is first again at once.
func TestALaneThatRanDryHasNoTurnsToCatchUp(t *testing.T) {
	m := newModel()
	l := loader(t, newDir(quick(), "/model", m, slog.New(slog.DiscardHandler)), 1, 1)
	take := func() Lane {
		c := claim(t, l)
		check(t, c.Done(c.Files...))
		return c.Files[0].Lane
	}
	for range 10 * laneShare {
		refill(m, 1, High)
		if lane := take(); lane != High {
			t.Fatalf("a chunk of the %v lane", lane)
		}
	}
	late := 0
	for range laneShare {
		refill(m, 1, High)
		refill(m, 2, Low)
		if take() == Low {
			late++
		}
	}
	if late < 1 || late > 2 {
		t.Errorf("%d of %d chunks were of the low lane, want its share", late, laneShare)
	}
}

func TestLookingInVainPassesNobodyOver(t *testing.T) {
	var turns turns
	for range 100 {
		for _, lane := range turns.order() {
			turns.took(lane, false)
		}
	}
	if turns.passed != [lanes]int{} {
		t.Errorf("passed over: %v", turns.passed)
	}
}

// Whatever the mixture, every file is taken in the end, and those of a lane that waits longest within its share.
func TestTurnsOfRandomLanes(t *testing.T) {
	for seed := range uint64(200) {
		chance, turns := rand.New(rand.NewPCG(seed, 1)), turns{}
		var waited [lanes]int // chunks that a lane with files was passed over
		for range 500 {
			var has [lanes]bool
			for lane := range has {
				has[lane] = waited[lane] > 0 || chance.IntN(3) > 0 // what waits goes on waiting
			}
			for _, lane := range turns.order() {
				turns.took(lane, has[lane])
				if has[lane] {
					for other := range lanes {
						if waited[other]++; other == lane || !has[other] {
							waited[other] = 0
						}
					}
					break
				}
			}
			for lane, n := range waited {
				if n >= laneShare {
					t.Fatalf("seed %d: the %v lane waited for %d chunks", seed, Lane(lane), n)
				}
			}
		}
	}
}
