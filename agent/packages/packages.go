// Package packages tells the site which package updates this machine needs, has installed, or waits for a restart with.
// It never changes anything on the machine.
package packages

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"statewire/agent"
	"statewire/agent/cache"
	"statewire/internal/backoff"
	"statewire/internal/topics"
	"statewire/smx"
)

// What a scan of the machine's own packages speaks of.
const (
	packageSource = "apt" // topic id of the scan itself
	updateIDType  = 3     // of topics about an update

)

const (
	// listsOld is the age from which package lists no longer say what is there to install.
	listsOld = 7 * 24 * time.Hour
	// scanRetryInterval bounds the wait after a scan that failed.
	scanRetryInterval = time.Hour
	// tracesInterval is the time between two looks at whether anything was installed meanwhile.
	tracesInterval = time.Minute
)

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// book is the agent as a source of state sees it.
type book interface {
	// Raise records states, all or none.
	Raise(states ...cache.State) error
	// Messages lists what the agent holds of these topic types.
	Messages(topicTypes ...uint32) (agent.Messages, error)
}

// Source is the source that tells which package updates this machine requires: exactly those that `apt list
// --upgradable` lists. It only looks: it changes nothing on the machine, and raises only what has changed.
type Source struct {
	// Constant after NewPackages.
	cfg    agent.Config
	book   book
	now    func() time.Time
	log    *slog.Logger
	apt    *apt
	marker string // the system's file that asks for a restart
	retime chan struct{}

	scanning sync.Mutex // held during a scan

	// Guarded by mu.
	mu       sync.Mutex
	interval time.Duration // between two scans; 0 = none
}

// New returns the source. Nothing runs until Run or Scan.
func New(cfg agent.Config, b book, now func() time.Time, log *slog.Logger) *Source {
	return &Source{cfg: cfg, book: b, now: now, log: log, apt: newApt(), marker: restartMarker,
		retime: make(chan struct{}, 1), interval: cfg.ScanInterval}
}

// Configure puts the scan interval of cfg into force while the source runs.
func (p *Source) Configure(cfg agent.Config) {
	p.mu.Lock()
	changed := p.interval != cfg.ScanInterval
	p.interval = cfg.ScanInterval
	p.mu.Unlock()
	if changed {
		select {
		case p.retime <- struct{}{}:
		default:
		}
	}
}

// scanInterval is the one in force.
func (p *Source) scanInterval() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.interval
}

// Run scans after the startup jitter, in every scan interval, and soon after packages were installed or lists brought
// up to date, until ctx ends. On a machine without apt it says so once and returns. A scan that fails is told to the
// site, not to the caller.
func (p *Source) Run(ctx context.Context) error {
	for p.scanInterval() == 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-p.retime:
		}
	}
	if err := p.apt.prepare(ctx); errors.Is(err, errNoApt) {
		p.log.Info("no package updates are reported", "why", err)
		return nil
	}
	timer := time.NewTimer(backoff.Jitter(0, p.cfg.StartupJitter))
	defer timer.Stop()
	look := time.NewTicker(tracesInterval)
	defer look.Stop()
	var seen watch
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.retime:
			timer.Reset(p.nextScan())
			continue
		case <-look.C:
			if p.scanInterval() == 0 || !seen.changed(p.traces()) {
				continue
			}
		case <-timer.C:
		}
		seen.settle(p.traces())
		wait, err := p.step(ctx)
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

// nextScan is the time to the next regular scan: the interval, less up to a tenth of it.
func (p *Source) nextScan() time.Duration {
	interval := p.scanInterval()
	if interval == 0 {
		return never
	}
	return backoff.Jitter(interval*9/10, interval/10)
}

// retryScan is the time to the next scan after one that failed.
func (p *Source) retryScan() time.Duration {
	interval := p.scanInterval()
	if interval == 0 {
		return never
	}
	return backoff.Jitter(0, min(interval, scanRetryInterval))
}

// step scans and returns how long to wait for the next one. The error is the store's, or errNoApt.
func (p *Source) step(ctx context.Context) (time.Duration, error) {
	result, err := p.Scan(ctx)
	var failed *scanError
	switch {
	case errors.As(err, &failed):
		p.log.Warn("package scan failed", "err", err)
		return p.retryScan(), nil
	case err != nil:
		return 0, err
	}
	p.log.Info("packages scanned", "required", result.Required, "restart", result.Restart, "raised", result.Raised,
		"took", result.Took)
	return p.nextScan(), nil
}

// Available says whether this machine has the source at all.
func (p *Source) Available(ctx context.Context) bool {
	return !errors.Is(p.apt.prepare(ctx), errNoApt)
}

// Scan looks once and raises what has changed; several callers scan one after the other.
func (p *Source) Scan(ctx context.Context) (agent.ScanResult, error) {
	p.scanning.Lock()
	defer p.scanning.Unlock()
	began := time.Now()
	if err := p.apt.prepare(ctx); errors.Is(err, errNoApt) {
		return agent.ScanResult{}, err
	}
	if err := p.raiseScan(topics.ScanRunning); errors.Is(err, cache.ErrFull) {
		return agent.ScanResult{}, &scanError{err}
	} else if err != nil {
		return agent.ScanResult{}, err
	}
	found, err := p.apt.look(ctx)
	if err != nil {
		return agent.ScanResult{}, p.fail(ctx, err)
	}
	waiting, err := readRestart(p.marker)
	if err != nil {
		return agent.ScanResult{}, p.fail(ctx, err)
	}
	result, err := p.record(found, waiting)
	if errors.Is(err, cache.ErrFull) {
		return agent.ScanResult{}, p.fail(ctx, err)
	}
	result.Took = time.Since(began)
	return result, err
}

// record raises what has changed, and that the scan is complete.
func (p *Source) record(found inventory, waiting restart) (agent.ScanResult, error) {
	result := agent.ScanResult{Required: len(found.upgrades), Listed: found.listed.UTC()}
	all, err := p.book.Messages(agent.ScanTopics()...)
	if err != nil {
		return result, err
	}
	updates, enforced := latest(all, topics.UpdateDetection), latest(all, topics.UpdateEnforcement)
	restarts := waiting.states(enforced, found.installed)
	for _, s := range restarts {
		if s.StateID == topics.EnforcementRestart {
			result.Restart++
		}
	}
	changed := append(changes(updates, found.states(updates)), changes(enforced, restarts)...)
	for i := range changed {
		changed[i].Time, changed[i].Priority = p.now(), usualPriority
	}
	sound, refused := sift(changed)
	if refused != nil {
		p.log.Warn("a package's state is not told", "err", refused)
	}
	result.Raised = len(sound)
	return result, p.book.Raise(append(sound, p.completed(result, found.unread, refused))...)
}

// sift leaves out the states that no report can carry, so that one of them stops no other, and returns why the first of
// them is out.
func sift(states []cache.State) (sound []cache.State, refused error) {
	for i := range states {
		if err := states[i].Check(); err == nil {
			sound = append(sound, states[i])
		} else if refused == nil {
			refused = err
		}
	}
	return sound, refused
}

// completed is the scan's own state after it.
func (p *Source) completed(r agent.ScanResult, unread string, refused error) cache.State {
	if unread != "" {
		return p.scanState(topics.ScanWithErrors, "", shorten("apt may not read "+unread+" as the agent's user, so its "+
			"updates may be missing; make it readable, and move passwords to auth.conf.d"))
	}
	if refused != nil {
		return p.scanState(topics.ScanWithErrors, "", shorten("a package's state is not told: "+refused.Error()))
	}
	if age := p.now().Sub(r.Listed); age > listsOld {
		return p.scanState(topics.ScanWithErrors, "", fmt.Sprintf("the package lists are %d days old; run apt-get update",
			int(age.Hours()/24)))
	}
	return p.scanState(topics.ScanCompleted, fmt.Sprint(r.Required), r.Listed.Format(time.RFC3339))
}

// fail tells the site why there is no result. What earlier scans found stands.
func (p *Source) fail(ctx context.Context, cause error) error {
	if ctx.Err() != nil { // the agent stops; the next one scans again
		return errors.Join(&scanError{cause}, p.raiseScan(topics.ScanRetry))
	}
	failed := &scanError{cause}
	if err := p.raiseScan(topics.ScanFailed, failed.code(), shorten(cause.Error())); err != nil &&
		!errors.Is(err, cache.ErrFull) {
		return err
	}
	return failed
}

func (p *Source) raiseScan(state uint32, params ...string) error {
	return p.book.Raise(p.scanState(state, params...))
}

// scanState is the scan's own state. Its parameters are words for people, of tools that may say any bytes.
func (p *Source) scanState(state uint32, params ...string) cache.State {
	for i := range params {
		params[i] = smx.Spell(params[i])
	}
	return cache.State{Priority: usualPriority, Message: smx.Message{
		Time: p.now(), TopicType: topics.UpdateScan, TopicID: packageSource, StateID: state, Params: params,
	}}
}
