package resync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"statewire/smx"
	"statewire/smx/policy"
	"statewire/store/storetest"
)

// service is what a Service and a Client have in common.
type service interface {
	Check(context.Context, CheckOptions) (Result, error)
	Request(context.Context, Target, RequestOptions) (RequestResult, error)
	Accept(context.Context, Target, AcceptOptions) (AcceptResult, error)
	List(context.Context, ListOptions) ([]Status, error)
	CreateCollection(context.Context, CollectionSpec) (Collection, error)
	Collections(context.Context) ([]Collection, error)
	Collection(context.Context, string) (Collection, []smx.ClientID, error)
	DeleteCollection(context.Context, string) error
	SetPolicy(context.Context, string, PolicySettings) (CollectionPolicy, error)
	Policies(context.Context) ([]CollectionPolicy, error)
	Policy(context.Context, smx.Poll) ([]byte, string, error)
}

// overSocket serves a service on a socket and returns its client.
func overSocket(t *testing.T, s *Service) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s.Handler()}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return Dial(path)
}

// eachWay runs a test on a service of its own, called directly and over the socket.
func eachWay(t *testing.T, cfg Config, f func(t *testing.T, b *bench, s service)) {
	t.Run("called", func(t *testing.T) {
		b := newBench(t, cfg)
		f(t, b, b.Service)
	})
	t.Run("over the socket", func(t *testing.T) {
		b := newBench(t, cfg)
		f(t, b, overSocket(t, b.Service))
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
		asked, err := s.Request(t.Context(), Target{Clients: []smx.ClientID{client(0), client(1), client(0), client(77)}},
			RequestOptions{By: "ann", Rows: -1, Progress: func(done, _ int) { told = append(told, done) }})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("asked", []int{asked.Clients, asked.IssuedTotal, asked.UnknownTotal, asked.Outstanding}, []int{2, 2, 1, 2})
		b.equal("unknown", asked.Unknown, []string{client(77).UUID()})
		b.equal("progress", told, []int{3})
		b.equal("offered", b.poll(client(0), 9).Resync.Reason, reasonRequested)

		again, err := s.Request(t.Context(), Target{All: true}, RequestOptions{By: "bob", Rows: -1})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("asked again within the interval, up to the bound", []int{again.Clients, again.IssuedTotal, again.Outstanding}, []int{5, 3, 3})
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
		for _, table := range []string{"missing_ranges", "resyncs", "resync_requests", "resync_checks", "resync_clock", "baselines"} {
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

func TestCollectionsAndTheirPolicies(t *testing.T) {
	eachWay(t, soon(), func(t *testing.T, b *bench, s service) {
		ctx := t.Context()
		b.arrive(client(1), 1, 9)
		b.arrive(client(2), 1, 5)
		c, err := s.CreateCollection(ctx, CollectionSpec{Name: "list", Clients: []smx.ClientID{client(2), client(1), client(1)}})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("members", c.Clients, 2)
		c, err = s.CreateCollection(ctx, CollectionSpec{Name: "behind", Query: "SELECT client_id FROM client_stats_data WHERE last_serial < 8 -- few;"})
		if err != nil {
			t.Fatal(err)
		}
		b.equal("members by query", []any{c.Kind, c.Clients}, []any{kindQuery, 1})
		_, members, err := s.Collection(ctx, "behind")
		b.equal("who", []any{members, err}, []any{[]smx.ClientID{client(2)}, nil})
		c, err = s.CreateCollection(ctx, CollectionSpec{Name: "twice", Query: "SELECT client_id FROM clients) UNION ALL SELECT toUUID('" + client(7).UUID() + "') FROM numbers(3"})
		b.equal("a client counts once", []any{c.Clients, err}, []any{1, nil})
		if err := s.DeleteCollection(ctx, "twice"); err != nil {
			t.Fatal(err)
		}

		if _, err := s.SetPolicy(ctx, "list", PolicySettings{SendInterval: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetPolicy(ctx, "behind", PolicySettings{Priority: 5, SendInterval: time.Minute, Topics: []policy.Topic{{Type: 500, Paused: true}}}); err != nil {
			t.Fatal(err)
		}
		b.check(CheckOptions{})
		b.equal("one collection", b.poll(client(1), 9).SendInterval, time.Hour)
		b.equal("two of them", b.poll(client(2), 5).SendInterval, time.Minute)
		b.equal("paused", b.poll(client(2), 5).Topics, []policy.Topic{{Type: 500, Paused: true}})
		for what, says := range map[string]PolicySettings{"https://r": {Relay: "https://r"}, "n:1": {Notifier: "n:1"}, "2h0m0s": {PolicyInterval: 2 * time.Hour}} {
			if _, err := s.SetPolicy(ctx, "list", says); err != nil {
				t.Fatal(err)
			}
			p := b.poll(client(1), 9)
			b.equal("said alone", cmp.Or(p.Relay, p.Notifier, p.PolicyInterval.String()), what)
		}
		b.equal("the gauge of paused topics", metric(t, b.reg, "statewire_paused_topics"), 1)
		policies, err := s.Policies(ctx)
		b.equal("policies", []any{len(policies), policies[0].Collection, policies[1].Priority, err}, []any{2, "behind", 1000, nil})

		asked, err := s.Request(ctx, Target{Collection: "behind"}, RequestOptions{By: "ann"})
		b.equal("asked", []any{asked.IssuedTotal, err}, []any{1, nil})
		if _, err := s.CreateCollection(ctx, CollectionSpec{Name: "list", Clients: []smx.ClientID{client(1)}, Replace: true}); err != nil {
			t.Fatal(err)
		}
		b.equal("no member any more", b.poll(client(2), 5).SendInterval, time.Minute)
		b.equal("nor in the store", b.count("SELECT count() FROM collection_clients"), 1)
		if err := s.DeleteCollection(ctx, "behind"); err != nil {
			t.Fatal(err)
		}
		b.equal("nothing said any more", b.poll(client(2), 5).SendInterval, time.Duration(0))
		if _, err := s.SetPolicy(ctx, "list", PolicySettings{}); err != nil {
			t.Fatal(err)
		}
		left, err := s.Collections(ctx)
		b.equal("left", []any{len(left), left[0].Name, left[0].Clients, err}, []any{1, "list", 1, nil})
		policies, err = s.Policies(ctx)
		b.equal("policies left", []any{len(policies), err}, []any{0, nil})
		again, err := s.CreateCollection(ctx, CollectionSpec{Name: "behind", Clients: []smx.ClientID{client(9)}})
		b.equal("a name may come again", []any{again.Clients, err}, []any{1, nil})
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
	b.equal("the serials claimed are still known", b.count("SELECT uniqExact(client_id) FROM client_claims WHERE last_serial >= 3"), 2)
}

func TestPoliciesAndCollectionsOutliveTheProcess(t *testing.T) {
	b := newBench(t, soon())
	ctx := t.Context()
	b.arrive(client(1), 1, 9)
	if _, err := b.CreateCollection(ctx, CollectionSpec{Name: "list", Clients: []smx.ClientID{client(1)}}); err != nil {
		t.Fatal(err)
	}
	settings := PolicySettings{SendInterval: time.Hour, PolicyInterval: 2 * time.Hour, Relay: "https://r", Notifier: "n:1",
		Topics: []policy.Topic{{Type: 1, Interval: time.Minute}, {Type: 2, Paused: true}}}
	if _, err := b.SetPolicy(ctx, "list", settings); err != nil {
		t.Fatal(err)
	}
	b.check(CheckOptions{})
	before := b.poll(client(1), 9)
	b = newBenchOn(t, b.db, soon(), b.now)
	b.check(CheckOptions{})
	b.equal("policy", b.poll(client(1), 9), before)
	b.equal("policy", before.Topics, settings.Topics)
}

func TestWrongCallsSayWhatToDo(t *testing.T) {
	long := strings.Repeat("x", 70)
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
		{"a name too long", func(ctx context.Context, s service) error {
			_, err := s.CreateCollection(ctx, CollectionSpec{Name: long, Query: "SELECT 1"})
			return err
		}, "at most 63"},
		{"too many clients for a call", func(ctx context.Context, s service) error {
			many := Target{Clients: make([]smx.ClientID, MaxMembers+1)}
			if _, err := s.Request(ctx, many, RequestOptions{DryRun: true}); !errors.As(err, new(*InvalidError)) {
				return err
			}
			if _, err := s.CreateCollection(ctx, CollectionSpec{Name: "x", Clients: many.Clients}); !errors.As(err, new(*InvalidError)) {
				return err
			}
			_, err := s.Accept(ctx, many, AcceptOptions{DryRun: true})
			return err
		}, "split the list"},
		{"a name with a path", func(ctx context.Context, s service) error { return s.DeleteCollection(ctx, "../x") }, "not allowed"},
		{"an empty collection", func(ctx context.Context, s service) error {
			_, err := s.CreateCollection(ctx, CollectionSpec{Name: "x"})
			return err
		}, "needs clients or a query"},
		{"a query that writes", func(ctx context.Context, s service) error {
			_, err := s.CreateCollection(ctx, CollectionSpec{Name: "x", Query: "DROP TABLE clients_data"})
			return err
		}, "does not work"},
		{"a query of files", func(ctx context.Context, s service) error {
			_, err := s.CreateCollection(ctx, CollectionSpec{Name: "x", Query: "SELECT toUUID(c1) AS client_id FROM file('/etc/passwd', 'CSV', 'c1 String')"})
			return err
		}, "does not work"},
		{"a query of other things", func(ctx context.Context, s service) error {
			_, err := s.CreateCollection(ctx, CollectionSpec{Name: "x", Query: "SELECT 1 AS client_id"})
			return err
		}, "must be UUID"},
		{"a policy out of range", func(ctx context.Context, s service) error {
			_, err := s.SetPolicy(ctx, "x", PolicySettings{SendInterval: time.Millisecond, Relay: "ftp://x", Notifier: "x", Topics: []policy.Topic{{Type: 700, Paused: true}}})
			return err
		}, "topic type 700 cannot be paused"},
		{"relays and notifiers that nobody can dial", func(ctx context.Context, s service) error {
			for _, notifier := range []string{"push", ":10123", "push:http", "push:0", "push:65536", "a b:1", "[::1", "user@push:1"} {
				for _, p := range []PolicySettings{{Notifier: notifier}, {Relay: "https://" + notifier + "/x"}, {Relay: "https://" + notifier}} {
					if _, err := s.SetPolicy(ctx, "x", p); !errors.As(err, new(*InvalidError)) && p.Relay != "https://push" {
						return fmt.Errorf("%v: %w", p, err)
					}
				}
			}
			_, err := s.SetPolicy(ctx, "x", PolicySettings{Relay: "https://[::1]:8443/", Notifier: "push-1.example:65536"})
			return err
		}, `notifier "push-1.example:65536" has the port "65536"; allowed are 1 to 65535`},
		{"a poll beyond every serial", func(ctx context.Context, s service) error {
			_, _, err := s.Policy(ctx, smx.Poll{Client: client(1), LastSerial: 1<<62 + 1})
			return err
		}, "above 2^62"},
	}
	b := newBench(t, soon())
	b.check(CheckOptions{})
	far := overSocket(t, b.Service)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, s := range []service{b.Service, far} {
				err := test.call(t.Context(), s)
				if err == nil || !strings.Contains(err.Error(), test.text) || !errors.As(err, new(*InvalidError)) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%T: %v", s, err)
				}
			}
		})
	}
	for _, s := range []service{b.Service, far} {
		if _, _, err := s.Collection(t.Context(), "none"); !errors.Is(err, ErrNoCollection) {
			t.Errorf("%T: %v", s, err)
		}
	}
	if _, _, err := newBenchOn(t, b.db, soon(), today).Policy(t.Context(), smx.Poll{Client: client(1)}); !errors.Is(err, ErrNotReady) {
		t.Errorf("answered before anything was read: %v", err)
	}
}

func TestAPollOverTheSocketIsTheSame(t *testing.T) {
	b := newBench(t, soon())
	b.arrive(client(1), 5, 9)
	far := overSocket(t, b.Service)
	if _, _, err := far.Policy(t.Context(), smx.Poll{Client: client(1)}); !errors.Is(err, ErrNotReady) {
		t.Errorf("answered before anything was read: %v", err)
	}
	b.check(CheckOptions{})
	near, nearTag, err := b.Policy(t.Context(), smx.Poll{Client: client(1), LastSerial: 9, States: 3, Digest: 1 << 63, Unsent: 1})
	if err != nil {
		t.Fatal(err)
	}
	away, awayTag, err := far.Policy(t.Context(), smx.Poll{Client: client(1), LastSerial: 9, States: 3, Digest: 1 << 63, Unsent: 1})
	if err != nil || string(near) != string(away) || nearTag != awayTag {
		t.Errorf("%s %s %v, want %s %s", away, awayTag, err, near, nearTag)
	}
	b.check(CheckOptions{})
	b.equal("claim", b.count("SELECT count() FROM client_caches FINAL WHERE states = 3 AND digest = 9223372036854775808"), 1)
}
