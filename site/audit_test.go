package site

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"statewire/audit"
	"statewire/internal/control"
	"statewire/store/storetest"
)

func auditLines(t *testing.T, data string) (all []audit.Line) {
	t.Helper()
	unread, err := audit.Lines(t.Context(), AuditDir(data), func(l audit.Line) error { all = append(all, l); return nil })
	if err != nil || unread > 0 {
		t.Fatal(unread, err)
	}
	return all
}

// Commands at the same time wait for each other's lock of the log, and each has its lines.
func TestCommandsShareTheLog(t *testing.T) {
	data := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		a := NewAuditor(data, slog.New(slog.DiscardHandler))
		for range 3 {
			all.Go(func() {
				err := control.Recorded(t.Context(), a.Recorder(), control.Act{Name: "a"}, func() error { return nil })
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	r, err := audit.Verify(t.Context(), AuditDir(data), audit.VerifyOptions{})
	if err != nil || len(r.Faults) > 0 || r.Lines != 24 || r.Open != 0 || r.Head.Seq != 24 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, l := range auditLines(t, data) {
		if l.Outcome == audit.Unknown {
			t.Errorf("an action was taken for one of a process that ended: %+v", l)
		}
	}
	log, err := audit.Open(AuditDir(data), audit.Options{})
	if err != nil {
		t.Fatalf("the lock is not given back: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}

// While a process has the identity role, a command appends through it.
func TestACommandAppendsThroughTheSite(t *testing.T) {
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(AuditDir(data), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	mux := http.NewServeMux()
	audit.Serve(mux, log)
	ln, err := control.Listen(IdentitySocket(data))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux, ConnContext: control.ConnContext}
	go func() { _ = server.Serve(ln) }()
	defer server.Close()
	a := NewAuditor(data, slog.New(slog.DiscardHandler))
	err = control.Recorded(t.Context(), a.Recorder(), control.Act{Name: "a"}, func() error { return errors.New("no") })
	if got := auditLines(t, data); err == nil || len(got) != 2 || got[1].Detail != "no" {
		t.Errorf("%+v, %v", got, err)
	}
}

// A stage of a site whose identity role is away records nothing, and so does nothing.
func TestWithoutTheIdentityRoleNothingIsRecorded(t *testing.T) {
	data := t.TempDir()
	s, err := New(Config{Data: data, Roles: Roles{"resync"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.auditLog().Begin(t.Context(), audit.Action{Action: "a"}); !errors.Is(err, audit.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := os.Stat(AuditDir(data)); err == nil {
		t.Error("a log was made")
	}
}

// The store has a copy of each signed head that was seen: a log that was made anew, key and all, does not fit it.
func TestTheStoreHasTheHeads(t *testing.T) {
	db := storetest.New(t)
	data := t.TempDir()
	act := func(n int) {
		a := NewAuditor(data, slog.New(slog.DiscardHandler))
		for range n {
			err := control.Recorded(t.Context(), a.Recorder(), control.Act{Name: "a"}, func() error { return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	stored := func() map[string][]byte {
		heads := map[string][]byte{}
		err := StoredHeads(t.Context(), db, func(h audit.Head) { heads["store"] = []byte(h.Note) })
		if err != nil {
			t.Fatal(err)
		}
		return heads
	}
	act(2)
	ctx, stop := context.WithCancel(t.Context())
	copied := make(chan error, 1)
	go func() { copied <- copyHeads(ctx, data, db, slog.New(slog.DiscardHandler)) }()
	for len(stored()) == 0 {
	}
	stop()
	if err := <-copied; err != nil {
		t.Error(err)
	}
	act(1)
	key, err := audit.VerifierKey(AuditDir(data))
	if err != nil {
		t.Fatal(err)
	}
	o := audit.VerifyOptions{Verifier: key, Heads: stored()}
	if r, err := audit.Verify(t.Context(), AuditDir(data), o); err != nil || len(r.Faults) > 0 {
		t.Errorf("the log fits: %+v, %v", r, err)
	}
	path, err := filepath.Glob(filepath.Join(AuditDir(data), "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path[0])
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(AuditDir(data), "key"))
	if err != nil {
		t.Fatal(err)
	}
	// Somebody with the key makes the log anew: one action less.
	if err := errors.Join(os.RemoveAll(AuditDir(data)), os.Mkdir(AuditDir(data), 0o700),
		os.WriteFile(filepath.Join(AuditDir(data), "key"), kept, 0o600)); err != nil {
		t.Fatal(err)
	}
	act(3)
	if again, err := os.ReadFile(path[0]); err != nil || string(again) == string(text) {
		t.Fatalf("it is the same log, %v", err)
	}
	if r, err := audit.Verify(t.Context(), AuditDir(data), audit.VerifyOptions{}); err != nil || len(r.Faults) > 0 {
		t.Errorf("by itself it looks good: %+v, %v", r, err)
	}
	r, err := audit.Verify(t.Context(), AuditDir(data), o)
	if err != nil || len(r.Faults) == 0 || r.Faults[0].Seq != 4 || !strings.Contains(r.Faults[0].Problem, "store") {
		t.Errorf("with the store's heads: %+v, %v", r, err)
	}
}
