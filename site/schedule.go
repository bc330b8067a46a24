package site

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"statewire/configs"
	"statewire/relay"
	"statewire/reports/explain"
)

// schedulePath is where the resync role's socket tells the settings in force.
const schedulePath = "/schedule"

// schedule tells the reports when the site looks for gaps, as its settings are now.
func (s *Site) schedule() explain.Schedule { return scheduleOf(*s.live.Load()) }

func scheduleOf(cfg configs.Config) explain.Schedule {
	return explain.Schedule{
		CheckInterval: cfg.Resync.CheckInterval, MinMissingAge: cfg.Resync.MinMissingMessageAge,
		MergeInterval: cfg.Resync.MergeInterval, MaxOutstanding: cfg.Resync.MaxOutstanding,
		PolicyInterval: cfg.Agent.PolicyInterval, SendInterval: cfg.Agent.SendInterval,
		PollInterval: cfg.Ingest.InboxPollingInterval, OfflineAfter: cfg.Notifier.OfflineAfter,
		Uncertified: cfg.Relay.Auth != relay.AuthMTLS,
	}
}

func (s *Site) serveSchedule(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(s.schedule()) // the command that hung up does without
}

// ScheduleInForce is the running site's schedule, whatever the command's own configuration says: the site may have been
// started with other flags. Where no site runs, the configuration decides.
func ScheduleInForce(ctx context.Context, data string, cfg configs.Config) (explain.Schedule, error) {
	own := scheduleOf(cfg)
	if Holder(data, "resync") == 0 || !Listens(ResyncSocket(data)) {
		return own, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://statewire"+schedulePath, nil)
	if err != nil {
		return own, err
	}
	resp, err := socketClient(ResyncSocket(data)).Do(req)
	if err != nil {
		return own, fmt.Errorf("ask the site for its settings: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound { // a site of an earlier version
		return own, nil
	}
	var running explain.Schedule
	if err := json.NewDecoder(resp.Body).Decode(&running); err != nil {
		return own, fmt.Errorf("ask the site for its settings: %w", err)
	}
	return running, nil
}
