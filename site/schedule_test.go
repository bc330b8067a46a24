package site

import (
	"testing"

	"statewire/configs"
	"statewire/reports/explain"
)

// What explain foresees rests on these settings.
func TestTheScheduleIsThatOfTheSettings(t *testing.T) {
	cfg := configs.Default()
	cfg.Resync.CheckInterval, cfg.Resync.MinMissingMessageAge, cfg.Resync.MergeInterval, cfg.Resync.MaxOutstanding = 1, 2, 3, 4
	cfg.Agent.PolicyInterval, cfg.Agent.SendInterval, cfg.Ingest.InboxPollingInterval = 5, 6, 7
	cfg.Notifier.OfflineAfter, cfg.Relay.Auth = 8, "none"
	want := explain.Schedule{CheckInterval: 1, MinMissingAge: 2, MergeInterval: 3, MaxOutstanding: 4, PolicyInterval: 5,
		SendInterval: 6, PollInterval: 7, OfflineAfter: 8, Uncertified: true}
	if got := scheduleOf(cfg); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
