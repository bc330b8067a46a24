package manager

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/notifier/wire"
)

// Whoever may push what, for whom, and how many: the first thing that is wrong is the refusal, and nothing is queued.
func TestOrdersThatAreRefused(t *testing.T) {
	b := tasksBench(t, 5)
	b.office.members["*"] = upTo(150)
	b.office.members["ward"] = clients(1, 2, 3)
	b.office.members["none"] = nil
	scoped := operator
	scoped.Collections = []string{"ward", "gone"}
	with := func(change func(*Order)) Order {
		o := order(1)
		change(&o)
		return o
	}
	for name, at := range map[string]struct {
		by   By
		o    Order
		want string
	}{
		"a viewer":                 {viewer, order(1), "forbidden"},
		"a destructive task":       {operator, with(func(o *Order) { o.Name = "Wipe" }), "forbidden"},
		"one for rules alone":      {admin, with(func(o *Order) { o.Name = "Internal" }), "no_task"},
		"one that is never pushed": {admin, with(func(o *Order) { o.Name = "Local" }), "no_task"},
		"no such task":             {admin, with(func(o *Order) { o.Name = "Nothing" }), "no_task"},
		"nobody":                   {admin, Order{Name: "Event"}, "bad_request"},
		"two ways":                 {admin, with(func(o *Order) { o.All = true }), "bad_request"},
		"a short validity":         {admin, with(func(o *Order) { o.Validity = time.Second }), "bad_request"},
		"a long validity":          {admin, with(func(o *Order) { o.Validity = 31 * 24 * time.Hour }), "bad_request"},
		"lasting, and a validity": {admin, with(func(o *Order) { o.Lasting, o.Validity = true, time.Hour }),
			"bad_request"},
		"a negative rate":              {admin, with(func(o *Order) { o.Rate = -1 }), "bad_request"},
		"a spread of half a second":    {admin, with(func(o *Order) { o.Spread = time.Second / 2 }), "bad_request"},
		"an unknown client":            {admin, order(1, 777), "no_client"},
		"a collection without clients": {admin, Order{Name: "Event", Collection: "none"}, "no_targets"},
		"no such collection":           {admin, Order{Name: "Event", Collection: "gone"}, "no_collection"},
		"too many to go unconfirmed":   {admin, Order{Name: "Event", All: true}, "not_confirmed"},
		"a wrong number":               {admin, Order{Name: "Event", All: true, Expect: 149}, "not_confirmed"},
		"a wrong small number":         {admin, with(func(o *Order) { o.Expect = 2 }), "not_confirmed"},
		"clients that are not one's":   {scoped, order(1, 4, 5), "out_of_scope"},
		"all, with collections":        {scoped, Order{Name: "Event", All: true, Expect: 150}, "out_of_scope"},
		"a value that is not allowed": {admin, with(func(o *Order) {
			o.Parameters = []wire.Parameter{{Name: "Nothing", Value: "1"}}
		}), "bad_parameter"},
		"a value that nobody may set": {admin, with(func(o *Order) {
			o.Parameters = []wire.Parameter{{Name: "Fixed", Value: "1"}}
		}), "not_overridable"},
	} {
		if _, err := b.Create(t.Context(), at.by, at.o); code(err) != at.want {
			t.Errorf("%s: %v, want %s", name, err, at.want)
		}
	}
	_, err := b.Create(t.Context(), scoped, order(1, 4, 5))
	if r := new(identity.Refusal); err == nil || !asRefusal(err, &r) || r.Status != 403 || r.Detail !=
		"outside the caller's collections: 2 clients" {
		t.Errorf("the refusal does not say how many: %v", err)
	}
	if len(b.office.lines) > 0 || len(b.tasks) > 0 {
		t.Errorf("refused, and yet: %v, %d tasks", b.office.lines, len(b.tasks))
	}
	for name, o := range map[string]Order{
		"one's collection": {Name: "Event", Collection: "ward"}, "one's clients": order(1, 3)} {
		if _, err := b.Create(t.Context(), scoped, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := b.create(admin, Order{Name: "event", All: true, Expect: 150}); s.Counts.Targets != 150 {
		t.Errorf("%+v", s)
	}
	b.office.away = true
	if _, err := b.Create(t.Context(), admin, Order{Name: "Event", Collection: "ward"}); code(err) != "store_away" {
		t.Errorf("the store is away: %v", err)
	}
	if _, err := b.Create(t.Context(), admin, order(1, 777)); err != nil {
		t.Errorf("clients that are named need no store: %v", err)
	}
}

func asRefusal(err error, to **identity.Refusal) bool {
	r, ok := err.(*identity.Refusal)
	*to = r
	return ok
}

// A plan counts the targets as they are connected, each once, and says how long the slowest server takes.
func TestAPlanSaysWhatAnOrderWouldDo(t *testing.T) {
	b := tasksBench(t, 100)
	b.cfg.Tasks.ApproveAbove = 90
	b.Configure(Live{Tasks: b.cfg.Tasks, Throttle: 42})
	twin := on(101, 8, 1, 0)
	twin.Reason = wire.Duplicate
	b.see(2, 1, twin, on(102, 8, 1, 0), on(103, 8, 1, 0), off(104, 8, 1, 0, "closed"))
	var all []uuid.UUID
	for n := range 104 {
		all = append(all, id(n+1), id(n+1))
	}
	o := Order{Name: "Restart", Clients: all, Spread: time.Minute}
	p, err := b.Plan(t.Context(), operator, o)
	if err != nil {
		t.Fatal(err)
	}
	if p.Targets != 104 || p.Online != 102 || p.Offline != 1 || p.Duplicates != 1 || !p.Second || p.Stopped {
		t.Errorf("%+v", p)
	}
	if want := []ServerPlan{{"push1", 1, 100}, {"push2", 2, 2}}; !slices.Equal(p.Servers, want) {
		t.Errorf("%+v, want %+v", p.Servers, want)
	}
	if p.Rate != 42 || p.Seconds != 100.0/42 || !p.NotAfter.Equal(today.Add(time.Hour+time.Minute)) {
		t.Errorf("rate %d, %v seconds, until %v", p.Rate, p.Seconds, p.NotAfter)
	}
	o.Rate = 10
	if p, _ = b.Plan(t.Context(), operator, o); p.Rate != 10 || p.Seconds != 10.2 {
		t.Errorf("with a rate of its own: %d, %v seconds", p.Rate, p.Seconds)
	}
	if len(b.office.lines) > 0 || len(b.tasks) > 0 {
		t.Error("a plan does something")
	}
}

// Nothing is queued before its line is in the audit log, and after an error nothing at all.
func TestAuditBeforeEffect(t *testing.T) {
	b := tasksBench(t, 2)
	b.office.full = true
	_, err := b.Create(t.Context(), admin, order(1, 2))
	r := new(identity.Refusal)
	if !asRefusal(err, &r) || r.Code != "audit_unavailable" || r.Status != 503 || !r.Retry {
		t.Fatalf("%v", err)
	}
	if list, err := b.List(t.Context(), admin, ListOptions{}); err != nil || len(list) > 0 || len(b.pushes(1, 1)) > 0 {
		t.Errorf("the audit log is full, and yet: %v, %v", list, err)
	}
	if b.Stop(t.Context(), admin, "") == nil || b.stop.Stopped {
		t.Error("stopped without a line")
	}
	b.office.full = false
	s := b.create(admin, order(1, 2))
	if want := []string{"local:0 task.push 2", "task.push done"}; !slices.Equal(b.office.lines, want) {
		t.Errorf("%q", b.office.lines)
	}
	b.office.lines, b.office.full = nil, true
	for name, do := range map[string]func() error{
		"cancel": func() error { _, err := b.Cancel(t.Context(), admin, s.Task.String(), ""); return err },
		"rate":   func() error { _, err := b.SetRate(t.Context(), admin, s.Task.String(), 3); return err },
	} {
		if code(do()) != "audit_unavailable" {
			t.Errorf("%s without a line", name)
		}
	}
	if got, _ := b.show("1"); got.State != TaskActive || got.Rate != 0 {
		t.Errorf("%+v", got)
	}
}

// A second person agrees: another one than who made the task, and one who may. Its time counts from then.
func TestASecondPersonAgrees(t *testing.T) {
	b := tasksBench(t, 2)
	o := order(1, 2)
	o.Name, o.Spread = "Wipe", 10*time.Second
	s := b.create(admin, o)
	if s.State != TaskWaits || len(b.pushes(1, 1)) > 0 {
		t.Fatalf("%+v", s)
	}
	b.now = b.now.Add(2 * time.Hour)
	b.step()
	name := s.Task.String()
	if _, err := b.Approve(t.Context(), admin, name); code(err) != "own_task" {
		t.Errorf("one's own: %v", err)
	}
	if _, err := b.Approve(t.Context(), operator, name); code(err) != "forbidden" {
		t.Errorf("an operator: %v", err)
	}
	narrow := another
	narrow.Collections = []string{"ward"}
	b.office.members["ward"] = clients(1)
	if _, err := b.Approve(t.Context(), narrow, name); code(err) != "out_of_scope" {
		t.Errorf("clients that are not one's: %v", err)
	}
	b.connect(2)
	s, err := b.Approve(t.Context(), another, name)
	if err != nil || s.State != TaskActive || s.Approver != another.Actor || !s.NotAfter.Equal(b.now.Add(time.Hour+
		10*time.Second)) {
		t.Fatalf("%+v, %v", s, err)
	}
	pushes := b.pushes(1, 1)
	if len(pushes) != 2 {
		t.Fatalf("%d pushes", len(pushes))
	}
	_, data := payload(t, pushes[0].Envelope)
	if m, err := wire.DecodeRequest(data); err != nil || !m.Issued.Equal(b.now) {
		t.Errorf("issued %v, %v", m.Issued, err)
	}
	if _, err := b.Approve(t.Context(), another, name); code(err) != "not_waiting" {
		t.Errorf("again: %v", err)
	}
	b.office.revoked[admin.Actor] = true
	s = b.create(admin, o)
	if _, err := b.Approve(t.Context(), another, "2"); code(err) != "creator_revoked" {
		t.Errorf("whoever made it may not any more: %v", err)
	}
	b.wantSteps("revoked", s.Task.String(), "1 cancelled, 2 cancelled")
	s = b.create(admin, o)
	b.now = b.now.Add(8 * 24 * time.Hour)
	b.step()
	b.wantSteps("nobody agreed", s.Task.String(), "1 cancelled, 2 cancelled")
	if got, _ := b.show("3"); got.State != TaskCancelled || got.Why != "not_approved" {
		t.Errorf("%+v", got)
	}
}

// When a second person is needed.
func TestWhenASecondPersonIsNeeded(t *testing.T) {
	for name, at := range map[string]struct {
		task    string
		targets int
		cfg     TasksConfig
		want    bool
	}{
		"benign":               {"Event", 3, TasksConfig{ApproveAbove: 2, ApproveDestructive: true}, false},
		"disruptive, many":     {"Restart", 3, TasksConfig{ApproveAbove: 2}, true},
		"disruptive, as many":  {"Restart", 2, TasksConfig{ApproveAbove: 2}, false},
		"disruptive, never":    {"Restart", 3, TasksConfig{}, false},
		"destructive":          {"Wipe", 1, TasksConfig{ApproveAbove: 2, ApproveDestructive: true}, true},
		"destructive, one man": {"Wipe", 3, TasksConfig{ApproveAbove: 2}, false},
	} {
		b := tasksBench(t, 3)
		at.cfg.ConfirmAbove = 100
		b.Configure(Live{Tasks: at.cfg})
		o := Order{Name: at.task, Clients: upTo(at.targets)}
		if s := b.create(admin, o); (s.State == TaskWaits) != at.want {
			t.Errorf("%s: %s", name, s.State)
		}
	}
}
