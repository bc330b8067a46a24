package client

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
	"statewire/agent/local"
	"statewire/cmd/statewire/cli"
)

// An agent whose states, or whose relay, were away for so long needs a person.
const agentPatience = 24 * time.Hour

// answerPatience is how long an agent may take to say how it is doing. One that hangs holds up nobody who watches it.
const answerPatience = 10 * time.Second

func agentStatusCommand(g *commands) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "how this machine's agent is doing; exit code 0 ok, 1 warning, 2 critical, 3 unknown",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := statusWithin(cmd.Context(), g.agent(cmd), answerPatience)
			if err != nil {
				return &cli.ExitStatus{Code: int(g.silentAgent(cmd, err)), Err: err}
			}
			health, why := agentHealth(status, time.Now())
			if err := cli.WriteRecord(cmd.OutOrStdout(), g.Format,
				shown(statusFields(status, health, why), g.Format)); err != nil {
				return err
			}
			if health == cli.HealthOK {
				return nil
			}
			return &cli.ExitStatus{Code: int(health)}
		},
	}
}

func statusWithin(ctx context.Context, own *local.Client, patience time.Duration) (local.StatusReport, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return own.Status(ctx)
}

// silentAgent is the health of an agent that cannot be asked: critical where one should run, and when it hangs.
func (g *commands) silentAgent(cmd *cobra.Command, err error) cli.Health {
	if errors.Is(err, context.DeadlineExceeded) {
		return cli.HealthCritical
	}
	if _, missing := os.Stat(g.agentAt(cmd)); missing == nil && errors.Is(err, local.ErrNotRunning) {
		return cli.HealthCritical
	}
	return cli.HealthUnknown
}

// agentHealth judges a status: critical when states or the relay are away for a day, warning when anything did not go.
func agentHealth(s local.StatusReport, now time.Time) (cli.Health, []string) {
	worst, why := cli.HealthOK, []string(nil)
	note := func(h cli.Health, format string, args ...any) {
		worst, why = cli.Worse(worst, h), append(why, fmt.Sprintf(format, args...))
	}
	oldest := seconds(s.OldestUnsent)
	switch lately := max(2*seconds(s.SendInterval), time.Minute); {
	case oldest > agentPatience:
		note(cli.HealthCritical, "the oldest unsent state has waited for %v", oldest.Round(time.Second))
	case oldest > lately && len(s.Paused)+len(s.Slowed) == 0:
		note(cli.HealthWarning, "the oldest unsent state has waited for %v", oldest.Round(time.Second))
	}
	if s.Problem != "" {
		since := s.LastContact
		if since.Before(s.Started) {
			since = s.Started
		}
		if !s.Connected && now.Sub(since) > agentPatience {
			note(cli.HealthCritical, "no relay has answered since %s: %s", whenever(since), s.Problem)
		} else {
			note(cli.HealthWarning, "%s", s.Problem)
		}
	}
	identityHealth(s.Identity, note)
	channelHealth(s.Channel, now, note)
	if s.UsedUp {
		note(cli.HealthCritical,
			"its serials are used up and nothing more of it can reach a site: give it a new client id with `statewire agent "+
				"new-id`")
	}
	if now.Sub(s.DeclinedTime) < agentPatience && !s.UsedUp {
		note(cli.HealthWarning,
			"a policy named serial %d to continue from, far above its own %d: declined. If this machine gave out so many, "+
				"`statewire agent accept-serial %d` continues there; else its id was misused at the site, and `statewire agent "+
				"new-id` gives it another",
			s.DeclinedSerial, s.LastSerial, s.DeclinedSerial)
	}
	if s.InUse == "fallback" {
		note(cli.HealthWarning, "the assigned relay %s does not answer; the configured one is used", s.Assigned)
	}
	if now.Sub(s.LastRefused) < agentPatience {
		note(cli.HealthWarning, "the relay refused a state for good; `statewire agent messages --refused` shows it")
	}
	if s.Scan != nil && s.Scan.Reason != "" {
		note(cli.HealthWarning, "package scan %s: %s", s.Scan.State, s.Scan.Reason)
	}
	return worst, why
}

// identityHealth judges a client's certificate. A client that has none and needs none is well.
func identityHealth(s local.IdentityReport, note func(h cli.Health, format string, args ...any)) {
	switch {
	case s.Ended != "":
		note(cli.HealthCritical,
			"the site ended its certificate (%s): a newer one of this client is in use elsewhere, so this "+
				"machine was set back to an older image or is a copy. Enrol it anew with `statewire agent enroll`, a copy after "+
				"`statewire agent new-id`", s.Ended)
	case s.Enrolled && s.Expired:
		note(cli.HealthCritical, "its certificate expired at %s and is not renewed: %s", whenever(s.ValidUntil), s.Problem)
	case s.Pending != "":
		note(cli.HealthWarning, "its enrolment waits for an approval: `statewire enroll approve %s` at the site", s.Pending)
	case s.OtherID != "":
		note(cli.HealthWarning, "its certificate is of client %s, which it was before: enrol it anew with `statewire agent "+
			"enroll`", s.OtherID)
	case s.Problem != "":
		note(cli.HealthWarning, "%s", s.Problem)
	}
	if s.Distrust != "" {
		note(cli.HealthWarning, "what the policy says of whom to believe is not taken: %s", s.Distrust)
	}
}

// enrolledSince is when the client enrolled, in a word where it did not.
func enrolledSince(s local.IdentityReport) string {
	switch {
	case s.Enrolled:
		return whenever(s.Since)
	case s.Pending != "":
		return "waits for an approval"
	}
	return "never"
}

// firstWait says why a client that has just started has not asked its relay, and when it will; empty once it has.
func firstWait(s local.StatusReport) string {
	if s.Attempts > 0 || s.NextContact.IsZero() {
		return ""
	}
	return fmt.Sprintf("it has not asked the relay since its start and does so at %s, a random moment within "+
		"agent.startup_jitter (%v): "+
		"machines that start together shall not come together. A state that is sent with --now goes at once", cli.Stamp(
		s.NextContact), seconds(s.StartupJitter))
}

// lastScan is the last scan in a few words.
func lastScan(s *agent.ScanState) string {
	if s == nil {
		return "never"
	}
	text := fmt.Sprintf("%s %s, %s required", s.State, whenever(s.Time), cli.FmtCount(s.Required, "update"))
	if s.Restart > 0 {
		text += ", a restart is pending"
	}
	return text
}

func statusFields(s local.StatusReport, h cli.Health, why []string) []cli.Field {
	relay := s.Relay
	if s.InUse == "assigned" {
		relay = s.Assigned
	}
	fields := []cli.Field{
		{"health", h.String()}, {"why", strings.Join(why, "; ")}, {"client", s.Client}, {"host", s.Host}, {"version",
			s.Version},
		{"process", s.Process}, {"started", whenever(s.Started)}, {"connected", s.Connected}, {"waits",
			firstWait(s)}, {"relay", relay}, {"relay_in_use", s.InUse},
		{"assigned_relay", s.Assigned}, {"assigned_notifier", s.Notifier}, {"last_contact", whenever(s.LastContact)},
		{"next_contact", cmp.Or(cli.Stamp(s.NextContact), "now")},
		{"last_send", whenever(s.LastSend)}, {"last_serial", s.LastSerial}, {"declined_serial",
			s.DeclinedSerial}, {"serials_used_up", s.UsedUp}, {"held", s.Held}, {"unsent", s.Unsent},
		{"oldest_unsent", seconds(s.OldestUnsent).Round(time.Second).String()}, {"oldest_unsent_seconds", s.OldestUnsent},
		{"enrolled", enrolledSince(s.Identity)}, {"site", s.Identity.Site}, {"certificate", s.Identity.Certificate},
		{"certificate_until", whenever(s.Identity.ValidUntil)}, {"next_renewal", whenever(s.Identity.RenewAt)},
		{"certificate_problem", s.Identity.Problem}, {"pending_approval", s.Identity.Pending},
		{"trust_version", s.Identity.Trust},
		{"dead_letters", s.DeadLetters}, {"resyncing", s.Resyncing}, {"last_resync", s.ResyncNumber},
		{"last_policy", whenever(s.LastPolicy)}, {"policy_changed", whenever(s.PolicyChanged)},
		{"send_interval", seconds(s.SendInterval).String()}, {"policy_interval", seconds(s.PolicyInterval).String()},
		{"last_scan", lastScan(s.Scan)}, {"paused_topics", append([]uint32{}, s.Paused...)}, {"slowed_topics",
			append([]uint32{}, s.Slowed...)},
	}
	fields = append(fields, cli.Field{"tasks_held", s.TasksHeld}, cli.Field{"tasks_running", s.TasksRunning})
	return append(fields, channelFields(s.Channel)...)
}

// shown are the fields under the names they are shown with. Beside channel none, "connected true" reads as its
// opposite: the table says what programs have always read as connected.
func shown(fields []cli.Field, format string) []cli.Field {
	for i := range fields {
		if format == "table" && fields[i][0] == "connected" {
			fields[i][0] = "relay_answered"
		}
	}
	return fields
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// whenever is a time as people and programs read it, or "never".
func whenever(t time.Time) string { return cmp.Or(cli.Stamp(t), "never") }
