package runner

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/notifier/wire"
)

// However long nobody passes a signed time on, and whatever unsigned time is said, no id is forgotten whose task would
// begin again after the next start of the machine.
func TestATaskWhoseTimeWasHiddenRunsOnce(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		r := m.ask("Policy")
		m.answers()
		m.r.Confirmed([]uuid.UUID{r.Task})
		for range 40 {
			time.Sleep(24 * time.Hour)
			m.r.SiteTime(time.Now().Add(23 * time.Hour))
			synctest.Wait()
		}
		m.reboot()
		m.push(r)
		m.expect("40 days later", "succeeded")
		m.clock()
		time.Sleep(2 * time.Hour)
		if m.clock(); m.kept() != 0 {
			t.Error("the id is not forgotten when a key vouches for the time")
		}
		m.reboot()
		m.push(r)
		m.expect("forgotten", "refused expired")
		if m.polls != 1 {
			t.Errorf("it ran %d times", m.polls)
		}
	})
}

// A time that is not on disk forgets nothing.
func TestATimeThatIsNotKeptForgetsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		m.end()
		m.store = timeless{m.store}
		m.start().clock()
		r := m.ask("Policy")
		m.r.Confirmed([]uuid.UUID{r.Task})
		time.Sleep(40 * 24 * time.Hour)
		m.clock()
		time.Sleep(2 * forgetInterval)
		if m.kept() != 1 {
			t.Error("the id is forgotten")
		}
	})
}

// A signed time that comes late, or to a machine whose clock is fast, tells nothing new: it is kept nevertheless, for
// it is all that is left after the next start of the machine. What has passed meanwhile counts until then.
func TestALateSignedTimeIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, m *machine) {
		time.Sleep(10 * time.Hour)
		at := time.Now().Add(-time.Hour).Truncate(time.Second)
		m.r.SignedTime(wire.SignTime(m.key, m.sign, m.id, at))
		synctest.Wait()
		if now := m.r.clock.now(); time.Since(now).Abs() > time.Millisecond {
			t.Errorf("it is %v, and was %v before a late time came", now, time.Now())
		}
		_ = m.stop()
		m.start()
		if now := m.r.clock.now(); time.Since(now).Abs() > time.Millisecond {
			t.Errorf("after a restart it is %v, and was %v", now, time.Now())
		}
		m.reboot()
		if now := m.r.clock.now(); !now.Equal(at) {
			t.Errorf("after a start of the machine it is %v, and the site said %v", now, at)
		}
	})
}

// timeless is a store that does not take the time.
type timeless struct{ Store }

func (timeless) KeepTaskTime(cache.TaskTime) error { return errBroken }
