package resync

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/collections"
	"statewire/internal/control"
	"statewire/policies"
	"statewire/smx"
	"statewire/store/storetest"
)

// service is what the services of the role and their clients have in common.
type service struct {
	resyncs
	collections collectionStore
	policies    policyStore
}

type resyncs interface {
	Check(context.Context, CheckOptions) (Result, error)
	Request(context.Context, Target, RequestOptions) (RequestResult, error)
	Accept(context.Context, Target, AcceptOptions) (AcceptResult, error)
	List(context.Context, ListOptions) ([]Status, error)
	NextSerial(context.Context, uuid.UUID, uint64) (NextSerial, error)
	Erase(ctx context.Context, client uuid.UUID, reason string) (EraseResult, error)
}

type collectionStore interface {
	Create(context.Context, collections.Spec) (collections.Collection, error)
	List(context.Context) ([]collections.Collection, error)
	Show(context.Context, string) (collections.Collection, []smx.ClientID, error)
	Delete(context.Context, string) error
}

type policyStore interface {
	Set(context.Context, string, policies.Settings) (policies.Policy, error)
	List(context.Context) ([]policies.Policy, error)
	Policy(context.Context, smx.Poll) ([]byte, string, error)
}

func (b *bench) near() service { return service{b.Service, b.sets, b.told} }

// overSocket serves the services on a socket and returns their clients.
func overSocket(t *testing.T, b *bench) service {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	b.Handle(mux)
	b.sets.Handle(mux)
	b.told.Handle(mux)
	server := &http.Server{Handler: mux}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return service{Dial(path), collections.Dial(path), policies.Dial(path)}
}

// eachWay runs a test on a service of its own, called directly and over the socket.
func eachWay(t *testing.T, cfg Config, f func(t *testing.T, b *bench, s service)) {
	t.Run("called", func(t *testing.T) {
		b := newBench(t, cfg)
		f(t, b, b.near())
	})
	t.Run("over the socket", func(t *testing.T) {
		b := newBench(t, cfg)
		f(t, b, overSocket(t, b))
	})
}

func soon() Config {
	cfg := DefaultConfig()
	cfg.MinMissingMessageAge, cfg.MaxOutstanding = 0, 3
	return cfg
}

func TestARequestSkipsAgeAndIntervalButNotTheBound(t *testing.T) {
	eachWay(t, soon(), func(t *testing.T, b *bench, s service) {
		for n := range 5 {
			b.arrive(client(n), 1, 9)
		}
		var told []int
		asked, err := s.Request(t.Context(),
			Target{Clients: []smx.ClientID{client(0), client(1), client(0), client(77)}},
			RequestOptions{By: "ann", Rows: -1, Progress: func(done, _ int) { told = append(told, done) }})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("asked", []int{asked.Clients, asked.IssuedTotal, asked.UnknownTotal, asked.Outstanding},
			[]int{2, 2, 1, 2})
		b.equal("unknown", asked.Unknown, []string{client(77).UUID()})
		b.equal("progress", told, []int{3})
		b.equal("offered", b.poll(client(0), 9).Resync.Reason, reasonRequested)

		again, err := s.Request(t.Context(), Target{All: true}, RequestOptions{By: "bob", Rows: -1})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("asked again within the interval, up to the bound",
			[]int{again.Clients, again.IssuedTotal, again.Outstanding}, []int{5, 3, 3})
		b.equal("the others wait", again.HeldTotals, map[string]int{heldBound: 2})
		b.wait(time.Minute)
		for _, one := range again.Issued {
			id, err := smx.ParseUUID(one.Client)
			if err != nil {
				t.Fatal(err)
			}
			b.complete(id, 10, 10)
		}
		r, err := s.Check(t.Context(), CheckOptions{Rows: -1})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("the others are asked as places come free", r.IssuedTotal, 2)
		b.equal("by", r.Issued[0].By, "bob")
		r, err = s.Check(t.Context(), CheckOptions{Rows: -1})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("once", r.IssuedTotal, 0)
		list, err := s.List(t.Context(), ListOptions{Open: true})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("outstanding", len(list), 2)
		list, err = s.List(t.Context(), ListOptions{Client: client(0)})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("of one client", []any{len(list), list[0].Number, list[0].Step}, []any{2, 2, stepCompleted})
	})
}

func TestADryRunWritesNothing(t *testing.T) {
	eachWay(t, soon(), func(t *testing.T, b *bench, s service) {
		b.arrive(client(1), 5, 9)
		r, err := s.Check(t.Context(), CheckOptions{DryRun: true, Rows: -1})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("would be issued", []any{r.IssuedTotal, len(r.Gaps.Rows), r.Gaps.Clients}, []any{1, 1, 1})
		if _, err := s.Request(t.Context(), Target{All: true}, RequestOptions{DryRun: true}); err != nil {
			t.Fatal(err)
		}
		out, err := s.Accept(t.Context(), Target{All: true}, AcceptOptions{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("would be accepted", out.Clients, 1)
		for _, table := range []string{"missing_ranges", "resyncs", "resync_requests", "resync_checks", "resync_clock",
			"baselines"} {
			b.equal("rows of "+table, b.count("SELECT count() FROM "+table), 0)
		}
	})
}

func TestADryRunNamesWhomTheCheckWillAsk(t *testing.T) {
	cfg := soon()
	cfg.MaxOutstanding = 4
	b := newBench(t, cfg)
	silent := smx.ClientID{8: 1}
	b.arrive(silent, 5, 9)
	b.equal("asked first", b.check(CheckOptions{Rows: -1}).Issued[0].Client, silent.UUID())
	b.wait(cfg.MergeInterval)
	for n := range byte(8) {
		b.arrive(smx.ClientID{0: 9 - n, 8: 1 + n/2}, 3, 4)
	}
	dry := b.check(CheckOptions{DryRun: true, Rows: -1})
	b.equal("dry and real", dry.Issued, b.check(CheckOptions{Rows: -1}).Issued)
	b.equal("the one that did not answer waits behind all others", issuedTo(dry)[silent.UUID()], Issued{})
}

func TestABaselineClosesWhatIsMissing(t *testing.T) {
	eachWay(t, soon(), func(t *testing.T, b *bench, s service) {
		b.arrive(client(1), 5, 9)
		b.arrive(client(2), 3, 9)
		b.check(CheckOptions{})
		b.equal("offered", b.poll(client(1), 20).Resync != nil, true)
		b.wait(time.Minute)
		out, err := s.Accept(t.Context(), Target{Clients: []smx.ClientID{client(1)}}, AcceptOptions{By: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("accepted", []any{out.Clients, out.Ranges, out.Messages, out.Cancelled}, []any{1, 1, 4, 1})
		b.equal("open ranges at once", b.count("SELECT count() FROM SR_MissingMessageRanges"), 1)
		b.equal("offered no more", b.poll(client(1), 20).Resync == nil, true)
		b.equal("the other one is", b.poll(client(2), 9).Resync != nil, true)
		b.wait(100 * time.Hour)
		r := b.check(CheckOptions{})
		b.equal("the claimed serials count as accepted", r.Gaps.Rows[0].Client, client(2).UUID())
		b.arrive(client(1), 30, 30)
		r = b.check(CheckOptions{Full: true})
		b.equal("what is missing later opens", r.Gaps.Ranges, 2)
		list, err := s.List(t.Context(), ListOptions{Client: client(1), Within: 1000 * time.Hour})
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		b.equal("step", list[len(list)-1].Step, stepAccepted)
		if out, err = s.Accept(t.Context(), Target{All: true}, AcceptOptions{}); err != nil {
			t.Fatal(err)
		}
		b.equal("all accepted", []any{out.Clients, out.Ranges}, []any{2, 2})
		b.equal("nothing open", b.count("SELECT count() FROM SR_MissingMessageRanges"), 0)
	})
}

func TestAClaimOfAClockThatWasAheadDoesNotOutliveIt(t *testing.T) {
	b := newBenchOn(t, storetest.New(t), soon(), today.AddDate(0, 1, 0))
	b.check(CheckOptions{})
	b.poll(client(1), 3)
	b.poll(client(2), 3)
	b.check(CheckOptions{})
	b = newBenchOn(t, b.db, soon(), today)
	b.check(CheckOptions{})
	b.poll(client(1), 4)
	b.check(CheckOptions{})
	b.equal("the claim that counts", b.count("SELECT last_serial FROM client_caches FINAL"), 4)
	b.equal("the serials claimed are still known",
		b.count("SELECT uniqExact(client_id) FROM client_claims WHERE last_serial >= 3"), 2)
}

func TestWrongCallsSayWhatToDo(t *testing.T) {
	tests := []struct {
		name string
		call func(context.Context, service) error
		text string
	}{
		{"no target", func(ctx context.Context, s service) error {
			_, err := s.Request(ctx, Target{}, RequestOptions{})
			return err
		}, "exactly one of them"},
		{"two kinds of targets", func(ctx context.Context, s service) error {
			_, err := s.Accept(ctx, Target{All: true, Collection: "x"}, AcceptOptions{})
			return err
		}, "exactly one of them"},
		{"too many clients for a call", func(ctx context.Context, s service) error {
			many := Target{Clients: make([]smx.ClientID, collections.MaxMembers+1)}
			_, err := s.Request(ctx, many, RequestOptions{DryRun: true})
			if !errors.As(err, new(*control.InvalidError)) {
				return err
			}
			_, err = s.collections.Create(ctx, collections.Spec{Name: "x", Clients: many.Clients})
			if !errors.As(err, new(*control.InvalidError)) {
				return err
			}
			_, err = s.Accept(ctx, many, AcceptOptions{DryRun: true})
			return err
		}, "split the list"},
	}
	b := newBench(t, soon())
	b.check(CheckOptions{})
	far := overSocket(t, b)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, s := range []service{b.near(), far} {
				err := test.call(t.Context(), s)
				if err == nil || !strings.Contains(err.Error(), test.text) ||
					!errors.As(err, new(*control.InvalidError)) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%T: %v", s, err)
				}
			}
		})
	}
	_, _, err := newBenchOn(t, b.db, soon(), today).told.Policy(t.Context(), smx.Poll{Client: client(1)})
	if !errors.Is(err, policies.ErrNotReady) {
		t.Errorf("answered before anything was read: %v", err)
	}
}

func TestAPollOverTheSocketIsTheSame(t *testing.T) {
	b := newBench(t, soon())
	b.arrive(client(1), 5, 9)
	far := overSocket(t, b)
	_, _, err := far.policies.Policy(t.Context(), smx.Poll{Client: client(1)})
	if !errors.Is(err, policies.ErrNotReady) {
		t.Errorf("answered before anything was read: %v", err)
	}
	b.check(CheckOptions{})
	near, nearTag, err := b.told.Policy(t.Context(),
		smx.Poll{Client: client(1), LastSerial: 9, States: 3, Digest: 1 << 63, Unsent: 1})
	if err != nil {
		t.Fatal(err)
	}
	away, awayTag, err := far.policies.Policy(t.Context(),
		smx.Poll{Client: client(1), LastSerial: 9, States: 3, Digest: 1 << 63, Unsent: 1})
	if err != nil || string(near) != string(away) || nearTag != awayTag {
		t.Errorf("%s %s %v, want %s %s", away, awayTag, err, near, nearTag)
	}
	b.check(CheckOptions{})
	b.equal("claim",
		b.count("SELECT count() FROM client_caches FINAL WHERE states = 3 AND digest = 9223372036854775808"), 1)
}
