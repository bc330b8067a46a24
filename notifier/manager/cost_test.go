package manager

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/notifier/wire"
	"statewire/store/storetest"
)

// many is how many clients a large site has.
const many = 100_000

// BenchmarkFullReportOfALargeSite says what a full report of a hundred thousand clients costs: the first one, of which
// everything is news, and the next one, of which nothing is; the memory of a client; a start; and the mirror.
func BenchmarkFullReportOfALargeSite(b *testing.B) {
	for b.Loop() {
		w := newBench(b)
		before := heap()
		b.ReportMetric(w.report(1).Seconds(), "first-s")
		b.ReportMetric(float64(heap()-before)/many, "B/client")
		info, err := os.Stat(filepath.Join(w.cfg.Dir, stateFile))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/many, "disk-B/client")
		b.ReportMetric(w.report(2).Seconds(), "again-s")
		began := time.Now()
		w.restart()
		b.ReportMetric(time.Since(began).Seconds(), "start-s")
		began = time.Now()
		w.see(1, 1, on(1, 2, 1, 1))
		b.ReportMetric(time.Since(began).Seconds()*1000, "one-row-ms")
		mirror, err := newMirror(w.Manager, storetest.New(b))
		if err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if err := mirror.step(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "mirror-s")
		b.ReportMetric(float64(heap()-before)/many, "B/client-mirrored")
	}
}

// report loads a full report of all clients, and says how long that took.
func (b *bench) report(version uint64) time.Duration {
	for part := range many / wire.MaxRows {
		r := full(version)
		r.Part, r.Parts = part+1, many/wire.MaxRows
		for n := range wire.MaxRows {
			row := on(0, 1, 1, 0)
			row.Client = uuid.NewSHA1(uuid.NameSpaceOID, []byte(fmt.Sprint(part, n)))
			row.Address = fmt.Sprintf("10.%d.%d.%d", part, n/250, n%250)
			r.Rows = append(r.Rows, row)
		}
		b.put(r)
	}
	began := time.Now()
	b.step()
	took := time.Since(began)
	if len(b.clients) != many {
		b.t.Fatalf("%d clients", len(b.clients))
	}
	return took
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
