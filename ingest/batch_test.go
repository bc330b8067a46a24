package ingest

import (
	"testing"
	"testing/synctest"
	"time"

	"statewire/smx"
)

// partOf is a part with so many rows, and bytes of files.
func partOf(rows int, bytes int64) *part {
	p := &part{started: time.Now(), bytes: bytes}
	p.rows.Serial = make([]uint64, rows)
	return p
}

func TestBatchIsStoredWhenLargeEnoughOrAfterItsDelay(t *testing.T) {
	type arrival struct {
		after time.Duration
		rows  int
		bytes int64
	}
	for _, tt := range []struct {
		name     string
		arrivals []arrival
		parts    int // of the first batch
		waited   time.Duration
	}{
		{"a single part waits for the delay", []arrival{{0, 10, 1}}, 1, 3 * time.Second},
		{"the delay counts from the first part", []arrival{{0, 10, 1}, {2 * time.Second, 10, 1}, {2 * time.Second, 10, 1}}, 2,
			3 * time.Second},
		{"50,000 rows wait for nothing", []arrival{{0, 49_999, 1}, {100 * time.Millisecond, 1, 1}, {time.Millisecond, 1, 1}},
			2, 100 * time.Millisecond},
		{"what has piled up goes too", []arrival{{0, 60_000, 1}, {0, 60_000, 1}, {0, 60_000, 1}}, 3, 0},
		{"but not more than 500,000 rows", []arrival{{0, 300_000, 1}, {0, 300_000, 1}, {0, 1, 1}}, 2, 0},
		{"nor more than 32 MiB of files", []arrival{{0, 10, 30 << 20}, {0, 10, 30 << 20}, {0, 10, 1}}, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, err := New(DefaultConfig(), Deps{})
				if err != nil {
					t.Fatal(err)
				}
				p := &pipeline{Loader: l, parts: make(chan *part, queuedParts), pace: pace{longest: 4 * time.Second}}
				p.pace.wait.Store(int64(2 * time.Second)) // the next is the longest
				go func() {
					for _, a := range tt.arrivals {
						time.Sleep(a.after)
						p.parts <- partOf(a.rows, a.bytes)
					}
					time.Sleep(time.Minute)
					close(p.parts)
				}()
				if tt.arrivals[len(tt.arrivals)-1].after == 0 {
					synctest.Wait() // all of them are there
				}
				began := time.Now()
				parts := p.gather()
				if len(parts) != tt.parts || time.Since(began) != tt.waited {
					t.Errorf("gathered %d parts in %v, want %d in %v", len(parts), time.Since(began), tt.parts, tt.waited)
				}
				for len(parts) > 0 {
					parts = p.gather()
				}
			})
		})
	}
}

func TestPartOfABatchCanBeCutAnywhere(t *testing.T) {
	a, b := partOf(0, 0), partOf(0, 0)
	for range 5 {
		a.sources = append(a.sources, source{})
	}
	b.sources = append(b.sources, source{}, source{})
	var files func(t *testing.T, b batch) (all []*source)
	files = func(t *testing.T, b batch) (all []*source) {
		if b.size().files == 1 {
			return []*source{&b[0].files()[0]}
		}
		left, right := b.halve()
		if n := left.size().files; n != b.size().files/2 {
			t.Errorf("half of %d files is %d", b.size().files, n)
		}
		return append(files(t, left), files(t, right)...)
	}
	have := files(t, batch{{a, 0, 5}, {b, 0, 2}})
	for i := range 7 {
		want := &a.sources[i%5]
		if i >= 5 {
			want = &b.sources[i-5]
		}
		if have[i] != want {
			t.Errorf("file %d is another", i)
		}
	}
}

// A bad file brings no messages, and another flag is no wrong time.
func TestWrongTimesAreCountedOfWhatLoads(t *testing.T) {
	p := &part{sources: []source{{messages: span{0, 3}}, {messages: span{3, 4}, bad: &smx.Error{}},
		{messages: span{4, 6}}}}
	p.rows.Flags = []uint8{smx.TimeSuspect, 0, smx.CountMismatch, smx.TimeSuspect, smx.TimeSuspect | flagSerialJump,
		flagSerialJump}
	if n := whole([]*part{p}).wrongTimes(); n != 2 {
		t.Errorf("%d wrong times, want 2", n)
	}
	if n := (batch{{p, 2, 3}}).wrongTimes(); n != 1 {
		t.Errorf("%d wrong times of the last file, want 1", n)
	}
}
