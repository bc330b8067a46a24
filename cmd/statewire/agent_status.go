package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"statewire/agent"
)

// An agent whose states, or whose relay, were away for so long needs a person.
const agentPatience = 24 * time.Hour

// answerPatience is how long an agent may take to say how it is doing. One that hangs holds up nobody who watches it.
const answerPatience = 10 * time.Second

func agentStatusCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "how this machine's agent is doing; exit code 0 ok, 1 warning, 2 critical, 3 unknown",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := statusWithin(cmd.Context(), g.agent(cmd), answerPatience)
			if err != nil {
				return &exitStatus{int(g.silentAgent(cmd, err)), err}
			}
			health, why := agentHealth(status, time.Now())
			if err := writeRecord(cmd.OutOrStdout(), g.format, statusFields(status, health, why)); err != nil {
				return err
			}
			if health == healthOK {
				return nil
			}
			return &exitStatus{code: int(health)}
		},
	}
}

func statusWithin(ctx context.Context, own *agent.SocketClient, patience time.Duration) (agent.StatusReport, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return own.Status(ctx)
}

// silentAgent is the health of an agent that cannot be asked: critical where one should run, and when it hangs.
func (g *globals) silentAgent(cmd *cobra.Command, err error) health {
	if errors.Is(err, context.DeadlineExceeded) {
		return healthCritical
	}
	if _, missing := os.Stat(g.agentAt(cmd)); missing == nil && errors.Is(err, agent.ErrNotRunning) {
		return healthCritical
	}
	return healthUnknown
}

// agentHealth judges a status: critical when states or the relay are away for a day, warning when anything did not go.
func agentHealth(s agent.StatusReport, now time.Time) (health, []string) {
	worst, why := healthOK, []string(nil)
	note := func(h health, format string, args ...any) {
		worst, why = worse(worst, h), append(why, fmt.Sprintf(format, args...))
	}
	oldest := seconds(s.OldestUnsent)
	switch lately := max(2*seconds(s.SendInterval), time.Minute); {
	case oldest > agentPatience:
		note(healthCritical, "the oldest unsent state has waited for %v", oldest.Round(time.Second))
	case oldest > lately && len(s.Paused)+len(s.Slowed) == 0:
		note(healthWarning, "the oldest unsent state has waited for %v", oldest.Round(time.Second))
	}
	if s.Problem != "" {
		since := s.LastContact
		if since.Before(s.Started) {
			since = s.Started
		}
		if !s.Connected && now.Sub(since) > agentPatience {
			note(healthCritical, "no relay has answered since %s: %s", whenever(since), s.Problem)
		} else {
			note(healthWarning, "%s", s.Problem)
		}
	}
	if s.UsedUp {
		note(healthCritical, "its serials are used up and nothing more of it can reach a site: give it a new client id with `statewire agent new-id`")
	}
	if now.Sub(s.DeclinedTime) < agentPatience && !s.UsedUp {
		note(healthWarning, "a policy named serial %d to continue from, far above its own %d: declined. If this machine gave out so many, `statewire agent accept-serial %d` continues there; else its id was misused at the site, and `statewire agent new-id` gives it another",
			s.DeclinedSerial, s.LastSerial, s.DeclinedSerial)
	}
	if s.InUse == "fallback" {
		note(healthWarning, "the assigned relay %s does not answer; the configured one is used", s.Assigned)
	}
	if now.Sub(s.LastRefused) < agentPatience {
		note(healthWarning, "the relay refused a state for good; `statewire agent messages --refused` shows it")
	}
	if s.Scan != nil && s.Scan.Reason != "" {
		note(healthWarning, "package scan %s: %s", s.Scan.State, s.Scan.Reason)
	}
	return worst, why
}

// firstWait says why a client that has just started has not asked its relay, and when it will; empty once it has.
func firstWait(s agent.StatusReport) string {
	if s.Attempts > 0 || s.NextContact.IsZero() {
		return ""
	}
	return fmt.Sprintf("it has not asked the relay since its start and does so at %s, a random moment within agent.startup_jitter (%v): "+
		"machines that start together shall not come together. A state that is sent with --now goes at once", stamp(s.NextContact), seconds(s.StartupJitter))
}

// lastScan is the last scan in a few words.
func lastScan(s *agent.ScanState) string {
	if s == nil {
		return "never"
	}
	text := fmt.Sprintf("%s %s, %s required", s.State, whenever(s.Time), fmtCount(s.Required, "update"))
	if s.Restart > 0 {
		text += ", a restart is pending"
	}
	return text
}

func statusFields(s agent.StatusReport, h health, why []string) []field {
	relay := s.Relay
	if s.InUse == "assigned" {
		relay = s.Assigned
	}
	return []field{
		{"health", h.String()}, {"why", strings.Join(why, "; ")}, {"client", s.Client}, {"host", s.Host}, {"version", s.Version},
		{"process", s.Process}, {"started", whenever(s.Started)}, {"connected", s.Connected}, {"waits", firstWait(s)}, {"relay", relay}, {"relay_in_use", s.InUse},
		{"assigned_relay", s.Assigned}, {"assigned_notifier", s.Notifier}, {"last_contact", whenever(s.LastContact)},
		{"next_contact", cmp.Or(stamp(s.NextContact), "now")},
		{"last_send", whenever(s.LastSend)}, {"last_serial", s.LastSerial}, {"declined_serial", s.DeclinedSerial}, {"serials_used_up", s.UsedUp}, {"held", s.Held}, {"unsent", s.Unsent},
		{"oldest_unsent", seconds(s.OldestUnsent).Round(time.Second).String()}, {"oldest_unsent_seconds", s.OldestUnsent},
		{"dead_letters", s.DeadLetters}, {"resyncing", s.Resyncing}, {"last_resync", s.ResyncNumber},
		{"last_policy", whenever(s.LastPolicy)}, {"policy_changed", whenever(s.PolicyChanged)},
		{"send_interval", seconds(s.SendInterval).String()}, {"policy_interval", seconds(s.PolicyInterval).String()},
		{"last_scan", lastScan(s.Scan)}, {"paused_topics", append([]uint32{}, s.Paused...)}, {"slowed_topics", append([]uint32{}, s.Slowed...)},
	}
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// whenever is a time as people and programs read it, or "never".
func whenever(t time.Time) string { return cmp.Or(stamp(t), "never") }
