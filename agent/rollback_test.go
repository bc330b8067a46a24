package agent

import (
	"testing"

	"statewire/agent/cache"
	"statewire/internal/topics"
	"statewire/smx"
	"statewire/smx/policy"
)

// A machine is set back to an image of a million and more serials ago. It goes on with its own serials and declines the
// site's, so that the site goes on holding what it held; the status names the serial, and once a person accepts it the
// two are equal again.
func TestARollbackOfMoreThanAMillion(t *testing.T) {
	a, memory, relay := testAgent(t, 1_000_000)
	raise(t, a, detected("a", 1), detected("b", 1))
	drainAll(t, a)
	image, err := memory.Image()
	if err != nil {
		t.Fatal(err)
	}
	if err := memory.Continue(2_500_000); err != nil {
		t.Fatal(err)
	}
	raise(t, a, detected("a", 2), detected("b", 2))
	drainAll(t, a)
	if err := memory.Restore(image); err != nil {
		t.Fatal(err)
	}
	a = agentOn(t, memory, relay)
	held := func(id string) (uint32, uint64) {
		s := relay.Clients[testIdentity.Client].State(topics.UpdateDetection, id)
		return s.StateID, s.Serial
	}
	said := func() smx.Poll {
		t.Helper()
		poll(t, a, PolicyAdopted)
		return relay.Polls[len(relay.Polls)-1]
	}
	want(relay, policy.Document{})
	if got := said(); got.LastSerial != 1_000_002 || got.States != 2 || got.Unsent != 0 || got.Digest == 0 {
		t.Errorf("it says %+v: the site cannot compare", got)
	}
	want(relay, asks(1, 2_500_003)) // the site found it by the states
	said()
	if reports := drainAll(t, a); len(reports) != 1 || reports[0].First != 1_000_003 {
		t.Fatalf("%d reports from serial %d on", len(reports), reports[0].First)
	}
	if state, serial := held("a"); state != 2 || serial != 2_500_001 {
		t.Errorf("the site holds %d under %d: its greater serial counts", state, serial)
	}
	status, err := a.Status()
	if err != nil || status.Declined.NextSerial != 2_500_003 || status.LastSerial != 1_000_005 {
		t.Errorf("status %+v, %v", status, err)
	}
	if err := a.AcceptSerial(2_500_003); err != nil {
		t.Fatal(err)
	}
	drainAll(t, a)
	for i, id := range []string{"a", "b"} {
		if state, serial := held(id); state != 1 || serial != uint64(2_500_003+i) {
			t.Errorf("%s is %d under %d", id, state, serial)
		}
	}
	if status, err = a.Status(); err != nil || status.Declined != (cache.Declined{}) || status.LastSerial != 2_500_005 {
		t.Errorf("status %+v, %v", status, err)
	}
}
