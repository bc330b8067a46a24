package manager

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"statewire/notifier/wire"
)

// answerBuckets are the seconds in which answers are counted: an online client takes less than one, a client that comes
// back up to the validity.
var answerBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86400}

func newAnswered(reg prometheus.Registerer) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "statewire_push_seconds", Buckets: answerBuckets,
		Help: "From a task's creation, or its approval, to a client's first answer, by the channel of the client."},
		[]string{"channel"})
	for _, channel := range []wire.Channel{wire.TCP, wire.HTTP} {
		h.WithLabelValues(channelName(channel))
	}
	reg.MustRegister(h)
	return h
}

func channelName(c wire.Channel) string {
	if c == wire.HTTP {
		return "http"
	}
	return "tcp"
}

// answers counts the first answer of a client, once it is durable: how long the way took, not the task.
func (c *change) answers(t *task, client uuid.UUID, before, now *step) {
	first := wire.StepReceived.Rank()
	if before == nil || before.Step.Rank() >= first || now.Step.Rank() < first || !now.answered() {
		return
	}
	from := t.Created
	if t.Issued.After(from) { // it waited for a second person; otherwise it is the same, cut to the second
		from = t.Issued
	}
	took := max(0, fromMicro(now.At).Sub(from))
	c.then = append(c.then, func() {
		channel := wire.TCP
		if one := c.m.clients[client]; one != nil {
			channel = one.Channel
		}
		c.m.metrics.answered.WithLabelValues(channelName(channel)).Observe(took.Seconds())
	})
}

// answered says whether the step is one that a client tells, and not one of a site that waits no longer.
func (s *step) answered() bool {
	return s.Step == wire.StepReceived || s.Step == wire.StepRunning || s.Step.Told()
}

// unreached tells, once, that a task expired without ever being pushed for more than a tenth of its clients. It is
// called when one more did.
func (c *change) unreached(t *task) {
	if t.Unpushed*10 <= t.Counts.Targets || (t.Unpushed-1)*10 > t.Counts.Targets {
		return
	}
	c.tell(wire.ComponentMessage{Component: wire.ManagerComponent, ID: wire.TasksExpired, Time: c.now,
		Text: fmt.Sprintf("Task %d (%s) expired before it could be pushed to more than a tenth of its %d clients: they were "+
			"not connected within %v of %s, or the throttle did not let it through.", t.Number, t.Name, t.Counts.Targets,
			t.NotAfter.Sub(t.Issued).Round(time.Second), t.Issued.UTC().Format(time.RFC3339))})
}
