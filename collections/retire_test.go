package collections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/audit"
	"statewire/smx"
	"statewire/store/storetest"
)

func client(n byte) smx.ClientID { return smx.ClientID{0: 0xC1, 15: n} }

func (s *Service) seen(t *testing.T, at time.Time, clients ...smx.ClientID) {
	t.Helper()
	for _, c := range clients {
		if err := s.store.Insert(t.Context(), `INSERT INTO clients_seen (client_id, first_report_time, last_report_time,
			loaded_time)`, []uuid.UUID{uuid.UUID(c)}, []time.Time{at}, []time.Time{at}, []time.Time{at}); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *Service) polled(t *testing.T, at time.Time, c smx.ClientID) {
	t.Helper()
	if err := s.store.Insert(t.Context(), `INSERT INTO client_claims (client_id, last_serial, claimed_time,
		loaded_time)`, []uuid.UUID{uuid.UUID(c)}, []uint64{1}, []time.Time{at}, []time.Time{at}); err != nil {
		t.Fatal(err)
	}
}

// nowRetired are the clients that are retired, with who did it and why.
func (s *Service) nowRetired(t *testing.T) (out []string) {
	t.Helper()
	err := s.store.EachRow(t.Context(), "SELECT client_id, retired_by, reason FROM retired_clients ORDER BY client_id",
		nil, func(scan func(...any) error) error {
			var id uuid.UUID
			var by, reason string
			err := scan(&id, &by, &reason)
			out = append(out, fmt.Sprintf("%d %s %s", id[15], by, reason))
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestClientsAreRetiredAndTakenBack(t *testing.T) {
	for _, far := range []bool{false, true} {
		own := New(storetest.New(t), slog.New(slog.DiscardHandler), time.Now)
		s := service(own)
		if far {
			s = overSocket(t, own)
		}
		now := time.Now()
		own.seen(t, now, client(1), client(2))
		own.polled(t, now, client(3))
		check := func(what string, r RetireResult, err error, want RetireResult, left ...string) {
			t.Helper()
			if err != nil || fmt.Sprint(r) != fmt.Sprint(want) || !slices.Equal(own.nowRetired(t), left) {
				t.Errorf("%s: %+v, %v, %q; want %+v, %q", what, r, err, own.nowRetired(t), want, left)
			}
		}
		o := RetireOptions{By: "ann", Reason: "sold"}
		list := []smx.ClientID{client(1), client(3), client(9), client(1)}
		r, err := s.Retire(t.Context(), list, o)
		check("retire", r, err, RetireResult{2, 0, []string{client(9).UUID()}}, "1 ann sold", "3 ann sold")
		r, err = s.Retire(t.Context(), []smx.ClientID{client(1), client(2)}, RetireOptions{By: "bob"})
		check("retire again", r, err, RetireResult{1, 1, nil}, "1 ann sold", "2 bob ", "3 ann sold")
		r, err = s.Unretire(t.Context(), []smx.ClientID{client(1), client(9)}, RetireOptions{By: "bob"})
		check("take back", r, err, RetireResult{1, 0, []string{client(9).UUID()}}, "2 bob ", "3 ann sold")
		r, err = s.Unretire(t.Context(), []smx.ClientID{client(1)}, RetireOptions{By: "bob"})
		check("take back again", r, err, RetireResult{0, 1, nil}, "2 bob ", "3 ann sold")
		r, err = s.Retire(t.Context(), []smx.ClientID{client(1)}, RetireOptions{By: "eve"})
		check("retire anew", r, err, RetireResult{1, 0, nil}, "1 eve ", "2 bob ", "3 ann sold")
		if _, err := s.Retire(t.Context(), nil, o); err == nil {
			t.Error("nobody was retired")
		}
		o.Reason = strings.Repeat("x", maxReason+1)
		if _, err := s.Retire(t.Context(), list, o); err == nil {
			t.Error("a long reason was taken")
		}
	}
}

// A member that is retired is none, of a list and of a query, until it is back.
func TestARetiredClientIsInNoCollection(t *testing.T) {
	s := New(storetest.New(t), slog.New(slog.DiscardHandler), time.Now)
	all := []smx.ClientID{client(1), client(2)}
	s.seen(t, time.Now(), all...)
	for _, spec := range []Spec{{Name: "list", Clients: all}, {Name: "query", Query: "SELECT client_id FROM clients"}} {
		if _, err := s.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	members := func(want ...smx.ClientID) {
		t.Helper()
		for _, name := range []string{"list", "query"} {
			c, got, err := s.Show(t.Context(), name)
			if err != nil || !slices.Equal(got, want) || c.Clients != uint64(len(want)) {
				t.Errorf("%s: %v, %d, %v; want %v", name, got, c.Clients, err, want)
			}
		}
	}
	members(all...)
	if _, err := s.Retire(t.Context(), all[:1], RetireOptions{}); err != nil {
		t.Fatal(err)
	}
	members(client(2))
	if list, err := s.List(t.Context()); err != nil || list[0].Clients != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := s.Unretire(t.Context(), all[:1], RetireOptions{}); err != nil {
		t.Fatal(err)
	}
	members(all...)
}

// Whoever neither reported nor polled since is retired; a poll, a person who took it back, and a report stamped by a
// clock that was ahead count as they should.
func TestSilentClientsAreRetired(t *testing.T) {
	s := New(storetest.New(t), slog.New(slog.DiscardHandler), time.Now)
	now := time.Now().UTC()
	old, fresh := now.Add(-50*time.Hour), now.Add(-40*time.Hour)
	s.seen(t, old, client(1), client(2), client(3), client(5))
	s.seen(t, fresh, client(4))
	s.polled(t, fresh, client(2))
	s.polled(t, old, client(6))
	ahead := now.Add(1000 * time.Hour)
	if err := s.store.Insert(t.Context(), `INSERT INTO clients_seen (client_id, first_report_time, last_report_time,
		loaded_time)`, []uuid.UUID{uuid.UUID(client(7))}, []time.Time{ahead}, []time.Time{ahead},
		[]time.Time{old}); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func(context.Context, []smx.ClientID, RetireOptions) (RetireResult, error){s.Retire, s.Unretire} {
		if _, err := do(t.Context(), []smx.ClientID{client(3)}, RetireOptions{By: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Retire(t.Context(), []smx.ClientID{client(5)}, RetireOptions{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"1 site no report and no poll for 48 hours", "5 ann ", "6 site no report and no poll for 48 hours",
		"7 site no report and no poll for 48 hours"}
	for _, retired := range []int{3, 0} {
		n, err := s.RetireSilent(t.Context(), now.Add(-48*time.Hour), 48*time.Hour)
		if err != nil || n != retired || !slices.Equal(s.nowRetired(t), want) {
			t.Errorf("%d, %v, %q", n, err, s.nowRetired(t))
		}
	}
}

// recorder keeps the actions that are begun, with how they went.
type recorder struct {
	s     *Service
	t     *testing.T
	fails error
	lines []string
}

func (r *recorder) Begin(_ context.Context, a audit.Action) (func(string, string), error) {
	line := fmt.Sprint(a.Actor, " ", a.Role, " ", a.Action, " ", a.Object, " ", a.Targets, " ", a.Reason, " before ",
		len(r.s.nowRetired(r.t)))
	if r.fails != nil {
		return nil, r.fails
	}
	return func(outcome, _ string) { r.lines = append(r.lines, line+" "+outcome) }, nil
}

// An action is recorded before it has an effect; one that cannot be recorded has none.
func TestWhatIsDoneToClientsIsRecordedBefore(t *testing.T) {
	s := New(storetest.New(t), slog.New(slog.DiscardHandler), time.Now)
	r := &recorder{s: s, t: t, fails: errors.New("disk full")}
	s.Record(r)
	at := time.Now().Add(-100 * time.Hour)
	s.seen(t, at, client(1), client(2))
	ctx, one := t.Context(), []smx.ClientID{client(1)}
	all := func() (errs []error) {
		_, err := s.Retire(ctx, one, RetireOptions{By: "ann", Reason: "sold"})
		_, err2 := s.Unretire(ctx, one, RetireOptions{By: "ann"})
		_, err3 := s.RetireSilent(ctx, time.Now().Add(-50*time.Hour), 50*time.Hour)
		return []error{err, err2, err3}
	}
	for i, err := range all() {
		if i != 1 && !errors.Is(err, r.fails) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got := s.nowRetired(t); len(got) > 0 {
		t.Errorf("retired without a record: %v", got)
	}
	r.fails = nil
	if err := errors.Join(all()...); err != nil {
		t.Fatal(err)
	}
	actor, name := r.lines[0][:strings.Index(r.lines[0], " ")], "client:"+client(1).String()
	want := []string{actor + " admin client.retire " + name + " 1 sold before 0 done", actor + " admin client.unretire " + name +
		" 1  before 1 done", "site  client.retire  1 no report and no poll for 50 hours before 0 done"}
	if !strings.HasPrefix(actor, "local:") || !slices.Equal(r.lines, want) {
		t.Errorf("recorded\n%s\nwant\n%s", strings.Join(r.lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestRetireAfterIsADayOrMore(t *testing.T) {
	for after, fine := range map[time.Duration]bool{0: true, 24 * time.Hour: true, 24*time.Hour - 1: false, -1: false} {
		if err := (Config{RetireAfter: after}).Validate(); (err == nil) != fine {
			t.Errorf("%v: %v", after, err)
		}
	}
}
