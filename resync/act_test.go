package resync

import (
	"context"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"statewire/audit"
	"statewire/collections"
	"statewire/internal/control"
	"statewire/policies"
	"statewire/smx"
)

// What a person does is in the audit log before it is done, called directly and over the socket; what cannot be
// recorded is not done, and what writes nothing needs no record.
func TestWhatAPersonDoesIsRecordedFirst(t *testing.T) {
	b := newBench(t, soon())
	b.arrive(client(1), 5, 9)
	b.arrive(client(2), 3, 9)
	b.check(CheckOptions{})
	dir := filepath.Join(t.TempDir(), "audit")
	log, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	closed := log
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	use := func(log *audit.Log) {
		r := audit.Recorder(log)
		b.recorder = r
		b.sets.Record(log)
		b.told = policies.New(policies.Deps{Store: b.db, Collections: b.sets, Resyncs: b.Service,
			Log: slog.New(slog.DiscardHandler), Recorder: r})
	}
	ctx := t.Context()
	if _, err := b.sets.Create(ctx, collections.Spec{Name: "old", Clients: []smx.ClientID{client(1)}}); err != nil {
		t.Fatal(err)
	}
	one := Target{Clients: []smx.ClientID{client(2)}}
	acts := []struct {
		line   string // of the log
		claims bool
		do     func(s service, dry bool) error
	}{
		{"collection.create collection:new 2", false, func(s service, _ bool) error {
			_, err := s.collections.Create(ctx, collections.Spec{Name: "new", Clients: []smx.ClientID{client(1), client(2)}})
			return err
		}},
		{"policy.set collection:old 1", false, func(s service, _ bool) error {
			_, err := s.policies.Set(ctx, "old", policies.Settings{Priority: 5, Relay: "https://r:1"})
			return err
		}},
		{"resync.request collection:old 1", false, func(s service, dry bool) error {
			_, err := s.Request(ctx, Target{Collection: "old"}, RequestOptions{DryRun: dry})
			return err
		}},
		{"resync.accept " + client(2).String() + " 1", false, func(s service, dry bool) error {
			_, err := s.Accept(ctx, one, AcceptOptions{DryRun: dry})
			return err
		}},
		{"resync.accept " + client(2).String() + " 1", true, func(s service, dry bool) error {
			_, err := s.Accept(ctx, one, AcceptOptions{DryRun: dry, Claim: true})
			return err
		}},
		{"collection.delete collection:old 1", false, func(s service, _ bool) error {
			return s.collections.Delete(ctx, "old")
		}},
	}
	tables := []string{"collections", "policies", "resync_requests", "resyncs", "baselines", "accepted_serials",
		"accepted_claims"}
	rows := func() (n []uint64) {
		for _, table := range tables {
			n = append(n, b.count("SELECT count() FROM "+table))
		}
		return n
	}
	use(closed)
	before := rows()
	for _, s := range []service{b.near(), overSocket(t, b)} {
		for _, a := range acts {
			if err := a.do(s, false); control.Code(err) != audit.Code {
				t.Errorf("%s with a log that takes nothing: %v", a.line, err)
			}
		}
		for _, a := range acts[2:4] {
			if err := a.do(s, true); err != nil {
				t.Errorf("%s that only looks: %v", a.line, err)
			}
		}
	}
	b.equal("rows after actions that were refused", rows(), before)

	if log, err = audit.Open(dir, audit.Options{}); err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	use(log)
	far := overSocket(t, b)
	var want []string
	for _, a := range acts {
		outcome := audit.Done
		if err := a.do(far, false); a.claims {
			outcome = audit.Failed // there is none
		} else if err != nil {
			t.Fatalf("%s: %v", a.line, err)
		}
		want = append(want, a.line+" "+control.Actor(context.Background())+" admin", outcome)
	}
	var got []string
	if _, err := audit.Lines(ctx, dir, func(l audit.Line) error {
		if l.Of > 0 {
			got = append(got, l.Outcome)
			return nil
		}
		got = append(got, strings.Join([]string{l.Action, l.Object, strconv.Itoa(l.Targets), l.Actor, l.Role}, " "))
		if (l.ParamsSHA256 == "") != (l.Action == "collection.delete") {
			t.Errorf("%s has the parameters %q", l.Action, l.ParamsSHA256)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b.equal("the log", got, want)
}
