package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestFileThatTheEngineRefusesIsFoundAmongItsNeighbours(t *testing.T) {
	for _, code := range []int32{6, 27, 38, 41, 53, 69} {
		t.Run(fmt.Sprint("code ", code), func(t *testing.T) { refusedFiles(t, code, 17) })
	}
	t.Run("the first and the last", func(t *testing.T) { refusedFiles(t, 27, 0, 99) })
	t.Run("neighbours", func(t *testing.T) { refusedFiles(t, 27, 3, 4, 5) })
}

func refusedFiles(t *testing.T, code int32, guilty ...int) {
	s := newSite(t)
	s.cfg.LoaderChunkFiles = 16
	s.restart()
	var bad []string
	for n := range 100 {
		s.drop(name(n), bare(client(n), messages(1, 2)...))
	}
	for _, n := range guilty {
		bad = append(bad, name(n))
	}
	s.faulty(func(step string, texts []string) error {
		if step == "send state_messages" &&
			slices.ContainsFunc(bad, func(b string) bool { return slices.Contains(texts, b) }) {
			return exception(code)
		}
		return nil
	})
	totals, err := s.quick().Drain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if totals.Files != 100 || totals.BadFiles != len(bad) || totals.Messages != 2*(100-len(bad)) || totals.Duplicates > 0 {
		t.Errorf("have %+v", totals)
	}
	for _, b := range bad {
		if r := s.reason(b); r.Code != "engine_refused" || !strings.Contains(r.Reason, "made up") {
			t.Errorf("reason of %s is %+v", b, r)
		}
	}
	for _, table := range []string{"state_messages", "client_reports"} {
		s.expect("SELECT uniqExact(source_file) FROM "+table, fmt.Sprint(100-len(bad)))
	}
	s.expect("SELECT uniqExact(client_id) FROM serial_ranges", fmt.Sprint(100-len(bad)))
	s.expect("SELECT count() FROM bad_files FINAL", fmt.Sprint(len(bad)))
	s.expectEmpty()
}

func name(n int) string { return fmt.Sprintf("%03d.SMX", n) }

func TestFilesStayWhileTheirRecordsCannotBeSetAside(t *testing.T) {
	s := newSite(t)
	check := s.everything(1)
	var inTheWay []string
	for _, name := range []string{"bad.SMX.reason.json", "records.SMX.1.SMX.reason.json"} {
		inTheWay = append(inTheWay, filepath.Join(s.root, "corrupt", name))
	}
	for _, folder := range inTheWay {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.quick().Drain(t.Context())
	if !errors.Is(err, errLeftOver) {
		t.Errorf("have %v, want that files are left", err)
	}
	left := s.left("incoming")
	slices.Sort(left)
	if !slices.Equal(left, []string{"bad.SMX", "records.SMX"}) {
		t.Errorf("incoming holds %q", left)
	}
	s.expect("SELECT uniqExact(client_id, serial, payload_hash) FROM state_messages", "9")
	for _, folder := range inTheWay {
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
	}
	s.restart()
	s.drain()
	check()
}

// A loader that is stopped while the store is away leaves a bad file where it is: corrupt holds nothing that the store
// does not list.
func TestABadFileStaysUntilTheStoreListsIt(t *testing.T) {
	s := newSite(t)
	s.drop("bad.SMX", []byte("<Report>"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	working := s.store
	s.faulty(func(step string, _ []string) error {
		if step != "send bad_files" {
			return nil
		}
		stop()
		return syscall.ECONNRESET
	})
	if err := s.quick().Run(ctx); err != nil {
		t.Error(err)
	}
	if have := s.left("corrupt"); len(have) > 0 {
		t.Errorf("corrupt holds %q", have)
	}
	s.expect("SELECT count() FROM bad_files", "0")
	s.store = working
	s.restart()
	s.drain()
	s.expect("SELECT name FROM bad_files FINAL", "'bad.SMX'")
	if have := s.left("corrupt"); !slices.Equal(have, []string{"bad.SMX", "bad.SMX.reason.json"}) {
		t.Errorf("corrupt holds %q", have)
	}
	s.expectEmpty()
}

func TestFileThatWasReplacedMeanwhileIsNotDeleted(t *testing.T) {
	s := newSite(t)
	s.drop("once.SMX", bare(client(2), messages(1, 3)...))
	incoming := filepath.Join(s.root, "incoming")
	replaced := false
	s.faulty(func(step string, _ []string) error {
		if step != "sent client_reports" || replaced {
			return nil
		}
		replaced = true
		if err := os.Remove(filepath.Join(incoming, "once.SMX")); err != nil {
			return err
		}
		s.drop("once.SMX", bare(client(1), messages(5, 5)...))
		return nil
	})
	s.drain()
	s.expect("SELECT serial FROM state_messages WHERE source_file = 'once.SMX' AND client_id = '"+client(1).UUID()+"'",
		"5")
	s.expectEmpty()
}
