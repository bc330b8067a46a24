package manager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/identity"
	"statewire/internal/control"
	"statewire/notifier/wire"
	"statewire/packs"
)

// Codes of refusals, beyond those of identity.
const (
	codeForbidden   = "forbidden"
	codeConfirm     = "not_confirmed"
	codeOwnTask     = "own_task"
	codeNoTask      = "no_task"
	codeNoTargets   = "no_targets"
	codeNoneSuch    = "no_collection"
	codeNoClient    = "no_client"
	codeBadOrder    = "bad_request"
	codeStoreAway   = "store_away"
	codeTooMany     = "too_many_tasks"
	codeNotWaiting  = "not_waiting"
	codeEnded       = "task_ended"
	codeUnavailable = "tasks_unavailable"
)

const (
	maxReasonBytes = 1000
	maxValidity    = 30 * 24 * time.Hour
	maxRate        = 100_000
)

func refuse(code string, status int, text string, args ...any) *identity.Refusal {
	return &identity.Refusal{Code: code, Status: status, Detail: fmt.Sprintf(text, args...),
		Retry: status == http.StatusServiceUnavailable}
}

// ordered is an order that was looked at: what is to be done, and by whom.
type ordered struct {
	order   Order
	pack    *packs.Pack
	task    packs.Task
	values  []wire.Parameter
	targets []uuid.UUID // ascending
	of      string      // the targets, as they were asked for
}

// Plan says what an order would do, to whoever may give it. Nothing is done and nothing is recorded.
func (m *Manager) Plan(ctx context.Context, by By, o Order) (Plan, error) {
	in, err := m.ordered(ctx, by, o)
	if err != nil {
		return Plan{}, err
	}
	return m.plan(in), nil
}

// ordered looks at an order, and refuses one that the caller may not give.
func (m *Manager) ordered(ctx context.Context, by By, o Order) (in ordered, err error) {
	if err := o.check(); err != nil {
		return in, err
	}
	if in.order, in.pack = o, m.deps.Pack; in.pack == nil {
		in.pack = packs.BuiltIn()
	}
	if in.task, err = in.pack.Find(o.Name); err != nil {
		return in, refuse(codeNoTask, http.StatusNotFound, "%v", err)
	}
	if !in.task.Public || !in.task.Remotable {
		return in, refuse(codeForbidden, http.StatusForbidden, "task %s is not for pushes", in.task.ID)
	}
	if err := by.Permit(permission(in.task.Class)); err != nil {
		return in, err
	}
	if in.values, err = valuesOf(in.task, o.Parameters); err != nil {
		return in, err
	}
	in.targets, in.of, err = m.targets(ctx, by, o)
	return in, err
}

// permission is what a push of a class needs; what is not known needs what nobody has.
func permission(class packs.Class) identity.Permission { return permissionOf(string(class)) }

func permissionOf(class string) identity.Permission {
	switch class {
	case "benign":
		return identity.MayTaskPushBenign
	case "disruptive":
		return identity.MayTaskPushDisruptive
	case "destructive":
		return identity.MayTaskPushDestructive
	}
	return identity.Permission("task.push." + class)
}

// check says what is wrong with an order, whoever gives it.
func (o Order) check() error {
	bad := func(text string, args ...any) error {
		return refuse(codeBadOrder, http.StatusBadRequest, text, args...)
	}
	ways := 0
	for _, given := range []bool{len(o.Clients) > 0, o.Collection != "", o.All} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return bad("a task is for clients, for a collection or for all: name exactly one of these")
	case o.Lasting && o.Validity != 0:
		return bad("a lasting task is valid for 30 days: leave its validity out")
	case o.Validity != 0 && (o.Validity < minValidity || o.Validity > maxValidity):
		return bad("the validity is %v; allowed are %v to 30 days", o.Validity, minValidity)
	case o.Spread < 0 || o.Spread > maxValidity || o.Spread%time.Second != 0:
		return bad("the spread is %v; allowed are whole seconds up to 30 days", o.Spread)
	case o.validity(0)+o.Spread > maxValidity:
		return bad("validity and spread together are more than 30 days")
	case o.Rate < 0 || o.Rate > maxRate:
		return bad("the rate is %d clients a second; allowed are 1 to %d, and 0 for what notifier.throttle allows", o.Rate,
			maxRate)
	case len(o.Reason) > maxReasonBytes:
		return bad("the reason has %d bytes; allowed are %d", len(o.Reason), maxReasonBytes)
	case o.Expect < 0:
		return bad("the number of targets cannot be negative")
	}
	return nil
}

// validity is how long the task waits for clients.
func (o Order) validity(usual time.Duration) time.Duration {
	switch {
	case o.Lasting:
		return max(lastingValidity-o.Spread, minValidity)
	case o.Validity > 0:
		return o.Validity
	}
	return usual
}

// valuesOf are the values that the task runs with.
func valuesOf(t packs.Task, given []wire.Parameter) ([]wire.Parameter, error) {
	in := make([]packs.Value, len(given))
	for i, p := range given {
		in[i] = packs.Value{Name: p.Name, Value: p.Value}
	}
	if _, err := t.Values(in); err != nil {
		var wrong *packs.ValueError
		if errors.As(err, &wrong) {
			return nil, refuse(wrong.Code, http.StatusBadRequest, "parameter %.80q: %s", wrong.Name, wrong.Detail)
		}
		return nil, refuse(codeBadOrder, http.StatusBadRequest, "%v", err)
	}
	return slices.Clone(given), nil // the agent fills the others in by itself
}

// targets are the clients of an order, each once, all of them within the caller's collections.
func (m *Manager) targets(ctx context.Context, by By, o Order) (targets []uuid.UUID, of string, err error) {
	switch {
	case o.All:
		of = "all"
		targets, err = m.members(ctx, "", true)
	case o.Collection != "":
		of = "collection " + o.Collection
		targets, err = m.members(ctx, o.Collection, false)
		if errors.Is(err, control.ErrNotFound) {
			err = refuse(codeNoneSuch, http.StatusNotFound, "%v", err)
		}
	default:
		if of = fmt.Sprintf("%d clients", len(o.Clients)); len(o.Clients) == 1 {
			of = "client GUID:" + upper(o.Clients[0])
		}
		targets = slices.Clone(o.Clients)
	}
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(targets, compareIDs)
	targets = slices.Compact(targets)
	if err := m.within(ctx, by, o, targets); err != nil {
		return nil, "", err
	}
	if len(o.Clients) > 0 {
		err = m.knownClients(ctx, targets)
	}
	if err == nil && len(targets) == 0 {
		err = refuse(codeNoTargets, http.StatusBadRequest, "%s has no clients: nothing would be done", of)
	}
	return targets, of, err
}

// within refuses targets that are outside of the caller's collections.
func (m *Manager) within(ctx context.Context, by By, o Order, targets []uuid.UUID) error {
	if !by.Scoped() || o.Collection != "" && by.Within(o.Collection) == nil {
		return nil
	}
	return m.inScope(ctx, by, targets)
}

func (m *Manager) inScope(ctx context.Context, by By, targets []uuid.UUID) error {
	if !by.Scoped() {
		return nil
	}
	mine := map[uuid.UUID]struct{}{}
	for _, name := range by.Collections {
		members, err := m.members(ctx, name, false)
		if errors.Is(err, control.ErrNotFound) {
			continue // one that is not there has nobody
		}
		if err != nil {
			return err
		}
		for _, id := range members {
			mine[id] = struct{}{}
		}
	}
	outside := 0
	for _, id := range targets {
		if _, ok := mine[id]; !ok {
			outside++
		}
	}
	if outside > 0 {
		return identity.OutOfScope(outside, "client", "clients")
	}
	return nil
}

// members are the clients of a collection; the store has them.
func (m *Manager) members(ctx context.Context, collection string, all bool) ([]uuid.UUID, error) {
	away := func(err error) error {
		return refuse(codeStoreAway, http.StatusServiceUnavailable,
			"who is in a collection is in the store, which does not answer (%v); name the clients, or try again", err)
	}
	if m.deps.Members == nil {
		return nil, away(errors.New("it is not open"))
	}
	members, err := m.deps.Members(ctx, collection, all)
	var invalid *control.InvalidError
	var refused *identity.Refusal
	switch {
	case err == nil, errors.Is(err, control.ErrNotFound), errors.As(err, &invalid), errors.As(err, &refused):
		return members, err
	}
	return nil, away(err)
}

// knownClients refuses clients that nobody ever saw, as far as that is known while the store is away.
func (m *Manager) knownClients(ctx context.Context, targets []uuid.UUID) error {
	var unseen []uuid.UUID
	m.mu.RLock()
	for _, id := range targets {
		if m.clients[id] == nil {
			unseen = append(unseen, id)
		}
	}
	m.mu.RUnlock()
	if len(unseen) == 0 || m.deps.Members == nil {
		return nil
	}
	all, err := m.deps.Members(ctx, "", true)
	if err != nil {
		return nil // they are asked if they turn up
	}
	slices.SortFunc(all, compareIDs)
	for _, id := range unseen {
		if _, ok := slices.BinarySearchFunc(all, id, compareIDs); !ok {
			return refuse(codeNoClient, http.StatusNotFound, "this site never saw client GUID:%s, or it is retired", upper(id))
		}
	}
	return nil
}

// plan says what an order would do at this moment.
func (m *Manager) plan(in ordered) Plan {
	live := m.settings.Load()
	p := Plan{Task: in.task.ID, Pack: in.pack.ID, Version: in.pack.Version.String(), Class: string(in.task.Class),
		Targets: len(in.targets), Servers: []ServerPlan{}, Rate: live.Throttle, Second: live.Tasks.second(in),
		NotAfter: m.now().UTC().Truncate(time.Second).Add(in.order.validity(live.Validity) + in.order.Spread)}
	m.mu.RLock()
	defer m.mu.RUnlock()
	p.Stopped = m.stop.Stopped
	online := map[uint32]int{}
	for _, id := range in.targets {
		switch c := m.clients[id]; {
		case c == nil || !c.online():
			p.Offline++
		case c.several():
			p.Duplicates++
		default:
			p.Online++
			online[c.Server]++
		}
	}
	for id, n := range online {
		one := ServerPlan{ServerID: id, Online: n}
		if s := m.servers[id]; s != nil {
			one.Server = s.Name
		}
		p.Servers = append(p.Servers, one)
		p.Seconds = max(p.Seconds, float64(n)/float64(live.Throttle))
	}
	slices.SortFunc(p.Servers, func(a, b ServerPlan) int { return int(a.ServerID) - int(b.ServerID) })
	if r := in.order.Rate; r > 0 {
		p.Rate = min(p.Rate, r)
		p.Seconds = max(p.Seconds, float64(p.Online)/float64(r))
	}
	return p
}

// second says whether a second person has to agree.
func (c TasksConfig) second(in ordered) bool {
	switch permission(in.task.Class) {
	case identity.MayTaskPushDisruptive:
		return c.ApproveAbove > 0 && len(in.targets) > c.ApproveAbove
	case identity.MayTaskPushDestructive:
		return c.ApproveDestructive
	}
	return false
}
