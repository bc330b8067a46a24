package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"statewire/inbox"
	"statewire/smx"
)

const (
	benchFiles    = 20_000 // of one report each
	benchMessages = 10     // per report
	benchReports  = 256    // per relay-written file
)

// fleet makes reports of as many clients as it is asked for, no client twice.
type fleet struct{ clients int }

func (f *fleet) report(dst []byte) []byte {
	f.clients++
	r := smx.Report{Header: header(client(f.clients))}
	for n := range benchMessages {
		m := message(uint64(n + 1))
		m.TopicID = fmt.Sprintf("ScopeId_8A4D7C11-09C2/RequiredConfigurationBaseline_%04d/%d", n, f.clients%7)
		m.Params = []string{"KB5005112", "0"}[:n%3]
		r.Messages = append(r.Messages, m)
	}
	return smx.AppendReport(dst, &r)
}

// bareFiles drops files of one report each and returns their bytes.
func (f *fleet) bareFiles(b *testing.B, s *site, files int) (paths []string, size int64) {
	b.Helper()
	var doc []byte
	for n := range files {
		doc = f.report(doc[:0])
		path := filepath.Join(s.root, "incoming", fmt.Sprintf("%06d.SMX", n))
		if err := os.WriteFile(path, doc, 0o600); err != nil {
			b.Fatal(err)
		}
		paths, size = append(paths, path), size+int64(len(doc))
	}
	return paths, size
}

// relayFiles puts files of many reports each.
func (f *fleet) relayFiles(b *testing.B, s *site, files int) (size int64) {
	b.Helper()
	for n := range files {
		docs := make([][]byte, benchReports)
		for i := range docs {
			docs[i] = f.report(nil)
		}
		data := relayed(b, epoch.Add(time.Duration(n)*time.Minute), docs...)
		s.put(inbox.Normal, data)
		size += int64(len(data))
	}
	return size
}

// benchSite is a site as it runs: with all views, logging, and the default configuration.
func benchSite(b *testing.B) *site {
	b.Helper()
	s := newSite(b)
	s.cfg = DefaultConfig()
	s.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	s.restart()
	return s
}

func (s *site) exec(sql string) {
	s.t.Helper()
	if err := s.db.Conn().Exec(s.db.InsertContext(context.Background()), sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// engineInsert is how long the engine alone takes to copy the loaded messages from memory into the site's table with
// all its views, and into one like it without any, 100,000 rows at a time.
func engineInsert(b *testing.B, s *site, rows int) (views, bare time.Duration) {
	b.Helper()
	s.exec("CREATE TABLE limit_all AS state_messages")
	s.exec("INSERT INTO limit_all SELECT * FROM state_messages")
	s.exec("CREATE TABLE limit_bare AS state_messages")
	s.exec("TRUNCATE TABLE state_messages")
	s.exec("SYSTEM STOP MERGES")
	timed := func(into string) time.Duration {
		began := time.Now()
		s.exec("INSERT INTO " + into + " SELECT * FROM limit_source")
		return time.Since(began)
	}
	for from := 0; from < rows; from += 100_000 {
		s.exec(fmt.Sprintf("CREATE TABLE limit_source ENGINE = Memory AS SELECT * FROM limit_all LIMIT 100000 OFFSET %d",
			from))
		views += timed("state_messages")
		bare += timed("limit_bare")
		s.exec("DROP TABLE limit_source SYNC")
	}
	s.exec("SYSTEM START MERGES")
	s.exec("DROP TABLE limit_all SYNC")
	s.exec("DROP TABLE limit_bare SYNC")
	return views, bare
}

// readAll is how long reading the files alone takes, and all their bytes.
func readAll(b *testing.B, paths []string) (docs [][]byte, took time.Duration) {
	b.Helper()
	var all bytes.Buffer
	buf := make([]byte, 64<<10)
	ends := make([]int, 0, len(paths))
	began := time.Now()
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		n, err := f.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
		all.Write(buf[:n])
		ends = append(ends, all.Len())
	}
	took = time.Since(began)
	from := 0
	for _, to := range ends {
		docs = append(docs, all.Bytes()[from:to])
		from = to
	}
	return docs, took
}

// lexAll is how long decoding the documents alone takes, on one core.
func lexAll(b *testing.B, docs [][]byte) time.Duration {
	b.Helper()
	var rows smx.Batch
	decoder := smx.NewDecoder()
	began := time.Now()
	for _, doc := range docs {
		if err := decoder.Decode(doc, &rows); err != nil {
			b.Fatal(err)
		}
		if rows.Len() > partRows {
			rows.Reset()
		}
	}
	return time.Since(began)
}

// cpu is what the process, engine included, has used.
func cpu() (user, system time.Duration) {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for oneself
	return time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())
}

func BenchmarkRatioIngestOneReportFiles(b *testing.B) {
	s := benchSite(b)
	var f fleet
	var user, system time.Duration
	var whole, read, lex, engine time.Duration
	for b.Loop() {
		paths, _ := f.bareFiles(b, s, benchFiles)
		docs, took := readAll(b, paths)
		read += took
		lex += lexAll(b, docs)
		began := time.Now()
		u, k := cpu()
		if t := s.drain(); t.Messages != benchFiles*benchMessages || t.Duplicates > 0 {
			b.Fatalf("loaded %+v", t)
		}
		whole += time.Since(began)
		u2, k2 := cpu()
		user, system = user+u2-u, system+k2-k
		views, _ := engineInsert(b, s, benchFiles*benchMessages)
		engine += views
	}
	n := float64(b.N)
	b.ReportMetric(float64(read+lex+engine)/float64(whole)*100, "%of_parts")
	b.ReportMetric(benchFiles*benchMessages*n/whole.Seconds(), "messages/s")
	b.ReportMetric(read.Seconds()/n*1000, "read_ms")
	b.ReportMetric(lex.Seconds()/n*1000, "lex_ms")
	b.ReportMetric(engine.Seconds()/n*1000, "engine_ms")
	b.ReportMetric(whole.Seconds()/n*1000, "ingest_ms")
	b.ReportMetric(user.Seconds()/n*1000, "user_ms")
	b.ReportMetric(system.Seconds()/n*1000, "system_ms")
}

func BenchmarkRatioIngestRelayFiles(b *testing.B) {
	s := benchSite(b)
	var f fleet
	var whole, views, bare time.Duration
	const files = 64
	const rows = files * benchReports * benchMessages
	for b.Loop() {
		f.relayFiles(b, s, files)
		began := time.Now()
		if t := s.drain(); t.Messages != rows || t.Duplicates > 0 {
			b.Fatalf("loaded %+v", t)
		}
		whole += time.Since(began)
		v, t := engineInsert(b, s, rows)
		views, bare = views+v, bare+t
	}
	n := float64(b.N)
	b.ReportMetric(float64(views)/float64(whole)*100, "%of_engine")
	b.ReportMetric(float64(bare)/float64(whole)*100, "%of_bare_table")
	b.ReportMetric(rows*n/whole.Seconds(), "messages/s")
	b.ReportMetric(rows*n/views.Seconds(), "engine_rows/s")
	b.ReportMetric(rows*n/bare.Seconds(), "bare_rows/s")
}
