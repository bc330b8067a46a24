package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// One client whose counter jumps to 10^15, and one in whose name somebody claims a serial near 2^62, among others that
// are installed anew and set back to images: both are told, no number of the fleet moves, no agent ends, and one round
// makes site and fleet equal.
func TestSerialsThatJumpMoveNoNumberOfTheFleet(t *testing.T) {
	t.Parallel()
	clients := 40
	if n, err := strconv.Atoi(os.Getenv(fleetEnv)); err == nil {
		clients = n
	}
	data, relay := siteDir(t), freeRelay(t)
	s := serveFleet(t, data, relay)
	run := done(t, data,
		append([]string{"--format", "json"}, fleetArgs(clients, relay, "--for", fmt.Sprint(max(6, clients/50), "s"),
			"--settle", "2s",
			"--reinstall", "0.1", "--restore", "0.1", "--serial-jump", "1", "--false-claim", "1")...)...)
	var fleet struct {
		SerialJumps int `json:"serial_jumps"`
		FalseClaims int `json:"false_claims"`
	}
	if err := json.Unmarshal([]byte(run), &fleet); err != nil || fleet.SerialJumps != 1 || fleet.FalseClaims == 0 {
		t.Fatalf("%+v, %v: %s", fleet, err, tail(run, 500))
	}
	s.awaitDrained()
	found := jumpCheck(t, data)
	if found.Jumps != 1 || found.JumpMessages < 9e14 || found.Aside != 1 || found.Messages > 100_000 {
		t.Errorf("after a run with jumps: %+v", found)
	}
	if flagged := ask(t, data, "SELECT uniqExact(client_id) FROM state_messages WHERE bitTest(flags, 7)"); flagged != 1 {
		t.Errorf("messages of %d clients are flagged, want those of 1", flagged)
	}
	if far := ask(t, data, "SELECT uniqExact(client_id) FROM resyncs WHERE next_serial > 1000000"); far != 1 {
		t.Errorf("%d clients were told to continue far away, want the one that is there", far)
	}
	done(t, data, append([]string{"--format", "json"}, fleetArgs(clients, relay, "--for", "0", "--settle", "2s")...)...)
	s.awaitDrained()
	found = jumpCheck(t, data)
	verify(t, data, 0)
	if found.Ranges != 0 || found.Jumps != 0 || found.Messages != 0 || found.Aside != 1 {
		t.Errorf("after the round: %+v", found)
	}
	var row struct {
		Percent float64
		Clients int
		Aside   int `json:"claims_aside"`
	}
	if err := json.Unmarshal([]byte(done(t, data, "--format", "jsonl", "report", "completeness")), &row); err != nil {
		t.Fatal(err)
	}
	if row.Percent != 100 || row.Clients != clients || row.Aside != 1 {
		t.Errorf("completeness %+v", row)
	}
	t.Logf("%d clients, %d forged polls", clients, fleet.FalseClaims)
}

// jumpCheck makes a gap check.
func jumpCheck(t *testing.T, data string) (found struct {
	Ranges, Messages float64
	Jumps            int     `json:"jump_ranges"`
	JumpMessages     float64 `json:"jump_messages"`
	Aside            int     `json:"claims_aside"`
}) {
	t.Helper()
	if err := json.Unmarshal([]byte(done(t, data, "--format", "json", "resync", "check")), &found); err != nil {
		t.Fatal(err)
	}
	return found
}
