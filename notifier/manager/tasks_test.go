package manager

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/audit"
	"statewire/identity"
	"statewire/internal/control"
	"statewire/notifier/wire"
	"statewire/packs"
)

// site is the site that the tests' tasks are of.
var site = uuid.MustParse("51700000-0000-0000-0000-000000000001")

// office is what a manager works with when it has tasks: a key, an audit log, collections, rights.
type office struct {
	id  string
	key ed25519.PrivateKey

	mu      sync.Mutex
	lines   []string // of the audit log: begin and outcome
	full    bool     // the audit log takes nothing
	away    bool     // the store is away
	revoked map[string]bool
	unsure  bool // nobody knows who may what
	asked   int
	members map[string][]uuid.UUID
}

func newOffice() *office {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err) // an Ed25519 key always has a form
	}
	sum := sha256.Sum256(der)
	return &office{id: hex.EncodeToString(sum[:]), key: key, revoked: map[string]bool{}, members: map[string][]uuid.UUID{}}
}

func (o *office) deps(clock func() time.Time) Deps {
	return Deps{Clock: clock, Audit: o, Members: o.who, Still: o.still, Pack: testPack(),
		TaskKey: func() (string, ed25519.PrivateKey, error) { return o.id, o.key, nil },
		Site:    func() (uuid.UUID, error) { return site, nil }}
}

// Begin implements auditor.
func (o *office) Begin(_ context.Context, a audit.Action) (func(string, string), error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.full {
		return nil, audit.Unavailable(errors.New("no space left"))
	}
	o.lines = append(o.lines, fmt.Sprintf("%s %s %d", a.Actor, a.Action, a.Targets))
	return func(outcome, _ string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.lines = append(o.lines, a.Action+" "+outcome)
	}, nil
}

func (o *office) who(_ context.Context, collection string, all bool) ([]uuid.UUID, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away {
		return nil, errors.New("the store is away")
	}
	if all {
		collection = "*"
	}
	members, ok := o.members[collection]
	if !ok {
		return nil, control.NotFound("no such collection: %s", collection)
	}
	return slices.Clone(members), nil
}

func (o *office) still(_ context.Context, actor string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	switch {
	case o.unsure:
		return identity.Unavailable()
	case o.revoked[actor]:
		return &identity.Refusal{Code: "token_revoked", Status: 401}
	}
	return nil
}

// testPack has a task of each class.
func testPack() *packs.Pack {
	task := func(name string, class packs.Class) packs.Task {
		return packs.Task{ID: "Test." + name, Public: true, Remotable: true, Class: class, Timeout: 5 * time.Minute,
			Action: packs.Action{BuiltIn: "test-event"},
			Parameters: []packs.Parameter{
				{Name: "Text", Type: packs.String, MaxLength: 100, Pattern: ".*", HasDefault: true, Default: "x",
					Overridable: true},
				{Name: "Fixed", Type: packs.String, MaxLength: 100, Pattern: ".*", HasDefault: true, Default: "x"}}}
	}
	internal := task("Internal", packs.Benign)
	internal.Public = false
	local := task("Local", packs.Benign)
	local.Remotable = false
	return &packs.Pack{ID: "Test", Version: packs.Version{1, 0, 0, 0}, Hash: "sha256:00",
		Tasks: []packs.Task{task("Event", packs.Benign), task("Restart", packs.Disruptive),
			task("Wipe", packs.Destructive), internal, local}}
}

// The people of the tests.
var (
	admin    = By{Person: identity.Person{Actor: "local:0", Role: identity.Admin}}
	another  = By{Person: identity.Person{Actor: "token:SECOND", Role: identity.Admin}}
	operator = By{Person: identity.Person{Actor: "token:OP", Role: identity.Operator}}
	viewer   = By{Person: identity.Person{Actor: "token:VIEW", Role: identity.Viewer}}
)

// tasksBench is a bench whose manager has tasks, with clients 1 to n connected to push1.
func tasksBench(t testing.TB, n int) *bench {
	t.Helper()
	b := newBench(t)
	b.office = newOffice()
	b.cfg.Live = Live{Tasks: DefaultTasksConfig()}
	b.restart()
	b.connect(n)
	return b
}

// connect has clients 1 to n come to push1.
func (b *bench) connect(n int) {
	b.t.Helper()
	var rows []wire.Row
	for i := range n {
		rows = append(rows, on(i+1, 8, 1, 0))
	}
	b.see(1, 1, rows...)
}

func clients(n ...int) (out []uuid.UUID) {
	for _, i := range n {
		out = append(out, id(i))
	}
	return out
}

func upTo(n int) (out []uuid.UUID) {
	for i := range n {
		out = append(out, id(i+1))
	}
	return out
}

// order is Test.Event for clients.
func order(of ...int) Order { return Order{Name: "Test.Event", Clients: clients(of...)} }

func (b *bench) create(by By, o Order) TaskStatus {
	b.t.Helper()
	s, err := b.Create(b.t.Context(), by, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// pushes has a server ask, and is what it is to push: it has the work then.
func (b *bench) pushes(server uint32, epoch uint64) []wire.Push {
	b.t.Helper()
	return b.fetch(server, epoch).Pushes
}

// fetch takes all the work of a server at this moment.
func (b *bench) fetch(server uint32, epoch uint64) (all wire.Work) {
	b.t.Helper()
	if b.got == nil {
		b.got = map[uint32]uint64{}
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	cancel() // it does not wait
	stopped := false
	for range 1000 {
		w, err := b.Work(ctx, wire.Ask{Server: fmt.Sprintf("push%d", server), ServerID: server, Epoch: epoch,
			Got: b.got[server], Woken: b.got[server], Stopped: stopped})
		if err != nil || w.Number == b.got[server] {
			return all
		}
		stopped = w.Stopped
		b.got[server] = w.Number
		all.Pushes, all.Cancels = append(all.Pushes, w.Pushes...), append(all.Cancels, w.Cancels...)
		all.Stopped = w.Stopped
		if len(w.Time) > 0 {
			all.Time = w.Time
		}
	}
	b.t.Fatal("the server always has work")
	return all
}

// say has a server tell how far a client is.
func (b *bench) say(server uint32, p wire.Push, step wire.Step, more ...func(*wire.Result)) {
	b.t.Helper()
	r := wire.Result{Task: p.Task, TaskID: p.TaskID, Push: p.Push, Client: p.Client, Step: step, Pushed: b.now, Pushes: 1}
	for _, change := range more {
		change(&r)
	}
	b.answers(server, r)
}

func (b *bench) answers(server uint32, results ...wire.Result) {
	b.t.Helper()
	told := wire.Results{Server: fmt.Sprintf("push%d", server), ServerID: server, Epoch: 1, Time: b.now, Results: results}
	if err := b.Results(b.t.Context(), told); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) dropped(server uint32, push uint64, why string) {
	b.t.Helper()
	told := wire.Results{Server: fmt.Sprintf("push%d", server), ServerID: server, Epoch: 1, Time: b.now,
		Dropped: []wire.Dropped{{Push: push, Why: why}}}
	if err := b.Results(b.t.Context(), told); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) show(task string) (TaskStatus, []StepStatus) {
	b.t.Helper()
	var steps []StepStatus
	s, err := b.Show(b.t.Context(), admin, task, ShowOptions{}, func(s StepStatus) error {
		steps = append(steps, s)
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return s, steps
}

// steps are the steps of a task: "1 queued offline".
func (b *bench) steps(task string) string {
	b.t.Helper()
	_, steps := b.show(task)
	var out []string
	for _, s := range steps {
		line := strings.TrimLeft(s.Client.String()[24:], "0") + " " + string(s.Step)
		if s.Reason != "" {
			line += " " + s.Reason
		}
		if s.Late {
			line += " late"
		}
		out = append(out, line)
	}
	return strings.Join(out, ", ")
}

func (b *bench) wantSteps(what, task, want string) {
	b.t.Helper()
	if got := b.steps(task); got != want {
		b.t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
	s, steps := b.show(task)
	c := s.Counts
	sum := c.Queued + c.Offline + c.Pushed + c.Received + c.Running + c.Succeeded + c.Failed + c.Refused + c.Expired +
		c.Cancelled + c.Unknown
	if sum != c.Targets || len(steps) != c.Targets+c.Unsolicited {
		b.t.Errorf("%s: %+v do not add up, with %d steps", what, c, len(steps))
	}
}

// payload is what an envelope holds.
func payload(t testing.TB, envelope []byte) (payloadType string, data []byte) {
	t.Helper()
	var e struct {
		PayloadType, Payload string
	}
	if err := json.Unmarshal(envelope, &e); err != nil {
		t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return e.PayloadType, data
}

func code(err error) string {
	var r *identity.Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return fmt.Sprint(err)
}
