package runner

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/notifier/wire"
	"statewire/packs"
	"statewire/trust"
)

// Why a task is refused, in the order in which it is looked at. What an envelope lacks says trust.
const (
	wrongSite    = "wrong_site"
	wrongClient  = "wrong_client"
	expired      = "expired"
	noPack       = "no_pack"
	noTask       = "no_task"
	notForThisOS = "not_for_this_os"
	denied       = "denied_locally"
	reportOnly   = "report_only"
	noSpace      = "no_space"
)

// Why a task failed that a client took on.
const (
	interrupted = "interrupted"
	timedOut    = "timeout"
	exitCode    = "exit_code"
	notStarted  = "not_started"
)

// keepIDs is how long the id of a task is known beyond its validity.
const keepIDs = 30 * 24 * time.Hour

// refusal is why a task is not carried out.
type refusal struct{ code, detail string }

func (r *refusal) Error() string { return r.code + ": " + r.detail }

func refuse(code, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// envelopeRefusal is what is wrong with an envelope, as the site reads it.
func envelopeRefusal(err error) error {
	for _, known := range []error{trust.ErrEnvelope, trust.ErrSignature, trust.ErrUnknownKey} {
		if errors.Is(err, known) {
			return &refusal{known.Error(), strings.TrimPrefix(err.Error(), known.Error()+": ")}
		}
	}
	return &refusal{trust.ErrEnvelope.Error(), err.Error()}
}

// open is what an envelope holds for this client, once a task key of its site has signed it. read takes the payload
// apart and says for whom it is and when it was issued.
func (r *Runner) open(envelope []byte, kind string,
	read func(payload []byte) (site, client uuid.UUID, issued time.Time, err error)) (payload []byte, err error) {
	document := r.d.Trust()
	payload, by, err := document.OpenTask(envelope, kind, r.clock.now())
	if err != nil {
		return nil, envelopeRefusal(err)
	}
	site, client, issued, err := read(payload)
	if err != nil {
		return nil, &refusal{trust.ErrEnvelope.Error(), err.Error()}
	}
	own, err := uuid.Parse(r.d.Site())
	if err != nil || site != own || by.Site != "" && !strings.EqualFold(by.Site, own.String()) {
		return nil, refuse(wrongSite, "it is of site %s; this client's is %s", site, own)
	}
	if client != r.d.Client {
		return nil, refuse(wrongClient, "it is for client %s; this is %s", client, r.d.Client)
	}
	// The key vouches for the time at which it signed, too.
	if !issued.Before(by.NotAfter) || document.Expired(issued) {
		return nil, refuse(trust.ErrUnknownKey.Error(), "it was issued after the end of key %.16s, or of the trust document",
			by.ID)
	}
	if err := r.clock.vouch(issued); err != nil {
		return nil, refuse(noSpace, "%v", err)
	}
	if now := r.clock.now(); !now.Before(by.NotAfter) || document.Expired(now) {
		return nil, refuse(trust.ErrUnknownKey.Error(), "the time of key %.16s, or of the trust document, is over", by.ID)
	}
	return payload, nil
}

// take looks at a task in the order that the site counts on, keeps it, and lets it begin.
func (r *Runner) take(_ context.Context, push uint64, envelope []byte) {
	var m wire.RequestMessage
	payload, err := r.open(envelope, wire.RequestType, func(payload []byte) (_, _ uuid.UUID, _ time.Time, err error) {
		m, err = wire.DecodeRequest(payload)
		return m.Site, m.Client, m.Issued, err
	})
	if err != nil {
		r.refuseUnkept(push, claimed(envelope), err)
		return
	}
	switch known, err := r.known(m.Task, push); {
	case err != nil:
		r.refuseUnkept(push, m, refuse(noSpace, "%v", err))
		return
	case known:
		return
	}
	t := r.newTask(m, push)
	work, err := r.look(m)
	if err != nil {
		r.refuseKept(t, err)
		return
	}
	r.receive(t, payload, work)
}

// look finds what a task stands for, if it may begin.
func (r *Runner) look(m wire.RequestMessage) (*work, error) {
	if now := r.clock.now(); now.After(m.NotAfter) {
		return nil, refuse(expired, "its time ended at %s, and it is %s", stamp(m.NotAfter), stamp(now))
	}
	return r.plan(m)
}

// known answers a task whose id is kept with the step that is kept.
func (r *Runner) known(id uuid.UUID, push uint64) (bool, error) {
	kept, known, err := r.d.Store.Task(id)
	if err != nil || !known {
		return false, err
	}
	t := r.tasks[id]
	if push == 0 { // a policy says it again and again
		return true, nil
	}
	if t != nil {
		t.Push = push
		r.tell(id)
		return true, nil
	}
	kept.Push = push
	r.untold = append(r.untold, answerOf(kept, r.clock.Wall()))
	return true, nil
}

func (r *Runner) newTask(m wire.RequestMessage, push uint64) cache.Task {
	name := m.Name
	if name == "" {
		name = policyTask
	}
	return cache.Task{ID: m.Task, Number: m.TaskID, Push: push, Received: r.clock.Wall(), NotAfter: m.NotAfter,
		Keep: later(m.NotAfter, r.clock.now()).Add(keepIDs), Name: name, Untold: true}
}

// receive keeps a task. Its id is on disk before anything of it begins.
func (r *Runner) receive(t cache.Task, payload []byte, w *work) {
	waiting := 0
	for _, other := range r.tasks {
		if other.Open && !other.running {
			waiting++
		}
	}
	switch {
	case waiting >= maxWaiting:
		r.refuseNow(t, refuse(noSpace, "%d tasks wait already", waiting))
		return
	case len(r.tasks) >= maxHeld:
		r.refuseNow(t, refuse(noSpace, "%d results are not confirmed", len(r.tasks)))
		return
	}
	t.Step, t.Open, t.Request = string(wire.StepReceived), true, payload
	t.Begin = r.clock.now().Add(w.message.Delay)
	if err := r.d.Store.PutTask(t, w.pack.ID, w.pack.Version); err != nil {
		r.refuseNow(t, refuse(noSpace, "%v", err))
		return
	}
	r.hold(t, r.clock.Boot()+w.message.Delay, false)
	r.log("task received", "task", uuid.UUID(t.ID), "name", t.Name)
	r.tell(t.ID)
}

// hold keeps account of a task that has not ended, or of whose end the site is not sure.
func (r *Runner) hold(t cache.Task, begin time.Duration, kept bool) {
	t.Request, t.Output = nil, ""
	r.tasks[t.ID] = &task{Task: t, begin: begin, kept: kept}
	r.order = append(r.order, t.ID)
}

// refuseKept refuses a task that the site has signed: its id is known from then on.
func (r *Runner) refuseKept(t cache.Task, why error) {
	if len(r.tasks) >= maxHeld {
		r.refuseNow(t, why)
		return
	}
	refused(&t, why)
	if err := r.d.Store.PutTask(t, "", [4]uint32{}); err != nil {
		r.refuseNow(t, why)
		return
	}
	r.hold(t, 0, false)
	r.log("task refused", "task", uuid.UUID(t.ID), "name", t.Name, "why", why)
	r.tell(t.ID)
}

// refuseNow refuses a task that cannot be kept.
func (r *Runner) refuseNow(t cache.Task, why error) {
	refused(&t, why)
	t.Untold = false
	r.doubt("task refused", "task", uuid.UUID(t.ID), "name", t.Name, "why", why)
	r.untold = append(r.untold, answerOf(t, r.clock.Wall()))
}

// refuseUnkept refuses what nobody of the site has signed for this client. Its id is not kept: whoever made it up could
// keep the client from the task that has it.
func (r *Runner) refuseUnkept(push uint64, m wire.RequestMessage, why error) {
	if push == 0 || m.Task == (uuid.UUID{}) { // nobody asked, or an answer could name no task
		r.doubt("task refused", "task", m.Task, "why", why)
		return
	}
	r.refuseNow(cache.Task{ID: m.Task, Number: m.TaskID, Push: push, Name: m.Name}, why)
}

func refused(t *cache.Task, why error) {
	t.Step, t.Open, t.Request = string(wire.StepRefused), false, nil
	var r *refusal
	if errors.As(why, &r) {
		t.Code, t.Detail = r.code, r.detail
		return
	}
	t.Code, t.Detail = noSpace, why.Error()
}

// claimed is which task an envelope claims to hold, whoever made it, so that its refusal can name it.
func claimed(envelope []byte) (m wire.RequestMessage) {
	var e struct{ Payload string }
	if len(envelope) > trust.MaxTaskBytes || json.Unmarshal(envelope, &e) != nil {
		return m
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		return m
	}
	if m, err = wire.DecodeRequest(payload); err != nil {
		return wire.RequestMessage{}
	}
	return m
}

// work is a task of a pack with all that it needs.
type work struct {
	message wire.RequestMessage
	pack    *packs.Pack
	task    packs.Task
	values  []packs.Value
	rules   Rules
}

// plan finds what a task stands for, and says why this client does not do it.
func (r *Runner) plan(m wire.RequestMessage) (*work, error) {
	w := &work{message: m, rules: r.own()}
	var err error
	if w.pack, err = r.pack(m); err != nil {
		return nil, err
	}
	name := m.Name
	if m.Type == wire.TypePolicy && name == "" {
		name = policyTask
	}
	w.task, err = w.pack.Find(name)
	switch {
	case err != nil || w.task.ID != name:
		return nil, refuse(noTask, "pack %s has no task %.255q", w.pack.ID, name)
	case !w.task.Public || !w.task.Remotable:
		return nil, refuse(noTask, "task %s cannot be asked for", name)
	case m.Type != wire.TypePack && !(m.Type == wire.TypePolicy && w.task.Action.BuiltIn == "policy"):
		return nil, refuse(noTask, "task %s is none of type %d", name, m.Type)
	}
	if err := r.fits(w); err != nil {
		return nil, err
	}
	given := make([]packs.Value, len(m.Parameters))
	for i, p := range m.Parameters {
		given[i] = packs.Value(p)
	}
	if w.values, err = w.task.Values(given); err != nil {
		var bad *packs.ValueError
		if errors.As(err, &bad) {
			return nil, refuse(bad.Code+" "+bad.Name, "%s", bad.Detail)
		}
		return nil, refuse(packs.BadParameter, "%v", err)
	}
	if why := w.rules.denies(w.pack.ID, w.task); why != "" {
		return nil, refuse(denied, "%s", why)
	}
	if w.rules.Tasks == Report {
		return nil, refuse(reportOnly, "agent.tasks is report")
	}
	return w, nil
}

// pack is the pack of a task, of which no higher version was in force before.
func (r *Runner) pack(m wire.RequestMessage) (*packs.Pack, error) {
	if m.Type == wire.TypePolicy && m.Pack == "" {
		return packs.BuiltIn(), nil
	}
	version, err := packs.ParseVersion(m.PackVersion)
	if err != nil {
		return nil, refuse(noPack, "%v", err)
	}
	before, known, err := r.d.Store.PackVersion(m.Pack)
	switch {
	case err != nil:
		return nil, refuse(noSpace, "%v", err)
	case known && version.Compare(before) < 0:
		return nil, refuse(noPack, "version %s of pack %s is lower than %s, which was in force", version, m.Pack,
			packs.Version(before))
	}
	if own := packs.BuiltIn(); m.Pack == own.ID {
		if version != own.Version || m.PackHash != own.Hash {
			return nil, refuse(noPack, "pack %s is version %s here: update the older one of site and agent", own.ID,
				own.Version)
		}
		return own, nil
	}
	if r.d.Packs == nil {
		return nil, refuse(noPack, "pack %s is not held", m.Pack)
	}
	pack, err := r.d.Packs.Get(m.Pack, m.PackVersion, m.PackHash)
	if err != nil {
		return nil, refuse(noPack, "%v", err)
	}
	if pack.ID != m.Pack || pack.Version != version || pack.Hash != m.PackHash {
		return nil, refuse(noPack, "pack %s %s is another one here", m.Pack, version)
	}
	return pack, nil
}

// fits says why a task is not for this machine.
func (r *Runner) fits(w *work) error {
	system := r.d.OS
	if system == "" {
		system = runtime.GOOS
	}
	if !w.pack.Fits(system) {
		return refuse(notForThisOS, "pack %s is for %s, and this is %s", w.pack.ID, w.pack.OS, system)
	}
	if !newEnough(r.d.Version, w.pack.MinAgent) {
		return refuse(notForThisOS, "pack %s needs agent %s, and this is %s", w.pack.ID, w.pack.MinAgent, r.d.Version)
	}
	if !r.able(w) {
		return refuse(notForThisOS, "this machine has nothing for %s", w.task.ID)
	}
	return nil
}

// newEnough compares the numbers of versions such as 1.4.0. A version that is none, such as that of a build in between,
// is new enough.
func newEnough(have, least string) bool {
	var a, b [3]int
	if n, _ := fmt.Sscanf(have, "%d.%d.%d", &a[0], &a[1], &a[2]); n == 0 || least == "" {
		return true
	}
	_, _ = fmt.Sscanf(least, "%d.%d.%d", &b[0], &b[1], &b[2]) // what is missing is 0
	for i := range a {
		if a[i] != b[i] {
			return a[i] > b[i]
		}
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
