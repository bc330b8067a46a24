package reports_test

import (
	"testing"
	"time"

	"statewire/reports/reportstest"
)

type taskStep = reportstest.TaskStep

// askedSite has three tasks with clients of every kind.
func askedSite(t *testing.T) *reportstest.Site {
	s := reportstest.NewSite(t)
	s.NotificationServer(1, "push1", 3*time.Minute)
	for n := 1; n <= 9; n++ {
		s.Client(n, 9, time.Duration(n)*hour)
	}
	s.Presence(presence{Client: 1, Online: true, Since: 5 * hour, Heard: 5 * hour, Reason: "signin"},
		presence{Client: 3, Online: true, Since: 5 * hour, Heard: 5 * hour, Reason: "signin"})
	s.Task(reportstest.Task{Number: 12, Name: "Statewire.Utility.TestEvent", Created: hour, Steps: []taskStep{
		{Client: 1, Step: "queued", At: hour, Reason: "online"},
		{Client: 2, Step: "queued", At: hour, Reason: "offline"},
		{Client: 3, Step: "running", At: 30 * time.Minute, Server: 1, Pushes: 2, Received: hour - 3*time.Second},
		{Client: 4, Step: "succeeded", At: 20 * time.Minute, Server: 1, Pushes: 1, Received: hour - time.Second,
			Output: "event raised"},
		{Client: 5, Step: "failed", At: 10 * time.Minute, Server: 2, Pushes: 1, Exit: 7, Reason: "exit",
			Detail: "it ended badly", Received: hour - 2*time.Second},
		{Client: 6, Step: "refused", At: 5 * time.Minute, Server: 1, Pushes: 1, Reason: "no_pack"},
		{Client: 7, Step: "succeeded", At: 4 * time.Minute, Server: 1, Pushes: 1, Waited: "expired"},
		{Client: 8, Step: "succeeded", At: 3 * time.Minute, Server: 1, Unsolicited: true},
		{Client: 9, Step: "pushed", At: 2 * time.Minute, Server: 1, Pushes: 1},
	}})
	s.Task(reportstest.Task{Number: 13, Name: "Contoso.Disk.Clean", Created: 2 * hour, State: "cancelled",
		Steps: []taskStep{{Client: 1, Step: "received", At: 2 * hour, Server: 1, Pushes: 1},
			{Client: 2, Step: "cancelled", At: hour}}})
	s.Exec("INSERT INTO tasks (task_guid, task_id, name, state, created_time, open, targets, succeeded, expired, late, " +
		"version) " +
		"VALUES ('" + reportstest.TaskID(14).String() + "', 14, 'Statewire.Utility.Policy', 'ended', '" +
		s.Micros(50*24*hour) +
		"', 0, 3, 1, 2, 1, 9)")
	return s
}

func TestClientOperationsAreListedWithTheirCounts(t *testing.T) {
	s := askedSite(t)
	r := s.Runner()
	columns := []string{"task_id", "name", "state", "targets", "completed", "succeeded", "failed", "refused", "waiting",
		"offline", "cancelled", "unknown", "late", "unsolicited"}
	expect(t, lines(s.All(r, "client-operations", nil), columns...), `
12 | Statewire.Utility.TestEvent | active | 8 | 3 | 1 | 1 | 1 | 2 | 1 | 0 | 1 | 1 | 1
13 | Contoso.Disk.Clean | cancelled | 2 | 1 | 0 | 0 | 0 | 0 | 0 | 1 | 0 | 0 | 0
14 | Statewire.Utility.Policy | ended | 3 | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 2 | 1 | 0`)
	for _, c := range []struct{ param, value, want string }{
		{"state", "cancelled", "13"}, {"name", "testevent", "12"}, {"name", "contoso.disk.clean", "13"},
		{"name", "event", ""},
		{"days", "1", "12\n13"},
	} {
		expect(t, lines(s.All(r, "client-operations", map[string]string{c.param: c.value}), "task_id"), c.want)
	}
}

func TestTheStepsOfATaskAreListed(t *testing.T) {
	s := askedSite(t)
	r := s.Runner()
	columns := []string{"netbios_name", "step", "step_time", "reason", "exit_code", "late", "asked", "server", "pushes",
		"received", "output"}
	want := `
PC-0009 | pushed | ` + s.At(2*time.Minute) + ` |  | 0 | no | yes | push1 | 1 |  | 
PC-0008 | succeeded | ` + s.At(3*time.Minute) + ` |  | 0 | no | no | push1 | 0 |  | 
PC-0007 | succeeded | ` + s.At(4*time.Minute) + ` |  | 0 | yes | yes | push1 | 1 |  | 
PC-0006 | refused | ` + s.At(5*time.Minute) + ` | no_pack | 0 | no | yes | push1 | 1 |  | 
PC-0005 | failed | ` + s.At(10*time.Minute) + ` | exit | 7 | no | yes |  | 1 | ` + s.At(hour-2*time.Second) + ` | 
PC-0004 | succeeded | ` + s.At(20*time.Minute) + ` |  | 0 | no | yes | push1 | 1 | ` + s.At(hour-time.Second) + ` | event raised
PC-0003 | running | ` + s.At(30*time.Minute) + ` |  | 0 | no | yes | push1 | 2 | ` + s.At(hour-3*time.Second) + ` | 
PC-0001 | queued | ` + s.At(hour) + ` | online | 0 | no | yes |  | 0 |  | 
PC-0002 | queued | ` + s.At(hour) + ` | offline | 0 | no | yes |  | 0 |  | `
	for _, name := range []string{"12", reportstest.TaskID(12).String()} {
		expect(t, lines(s.All(r, "task-steps", map[string]string{"task": name}), columns...), want)
	}
	expect(t, lines(s.All(r, "task-steps", map[string]string{"task": "12", "step": "queued"}), "netbios_name"),
		"PC-0001\nPC-0002")
	expect(t, lines(s.All(r, "task-steps", map[string]string{"task": "99"}), "netbios_name"), "")
}

func TestClientsWhoseTasksWaitAreListed(t *testing.T) {
	s := askedSite(t)
	r := s.Runner()
	columns := []string{"netbios_name", "task_id", "name", "step", "is"}
	expect(t, lines(s.All(r, "waiting-tasks", nil), columns...), `
PC-0001 | 13 | Contoso.Disk.Clean | received | online
PC-0001 | 12 | Statewire.Utility.TestEvent | queued | online
PC-0002 | 12 | Statewire.Utility.TestEvent | queued | offline
PC-0003 | 12 | Statewire.Utility.TestEvent | running | online
PC-0009 | 12 | Statewire.Utility.TestEvent | pushed | offline`)
	for _, c := range []struct{ param, value, want string }{
		{"client", "pc-0001", "13\n12"}, {"client", id(9).String(), "12"}, {"is", "offline", "12\n12"},
		{"is", "online", "13\n12\n12"},
	} {
		expect(t, lines(s.All(r, "waiting-tasks", map[string]string{c.param: c.value}), "task_id"), c.want)
	}
	s.Exec("INSERT INTO client_retirements (client_id, state, retired_time, retired_by, reason, version) VALUES ('" +
		id(2).String() + "', 'retired', now64(6), 'anna', 'sold', 1)")
	expect(t, lines(s.All(r, "waiting-tasks", map[string]string{"is": "offline"}), "netbios_name"), "PC-0009")
}

func TestTasksAreCountedByServer(t *testing.T) {
	s := askedSite(t)
	expect(t, lines(s.All(s.Runner(), "tasks-by-server", nil), "server", "clients", "open", "succeeded", "failed",
		"refused",
		"other", "pushes", "median_seconds"), `
push1 | 6 | 3 | 2 | 0 | 1 | 0 | 7 | 3
server 2 | 1 | 0 | 0 | 1 | 0 | 0 | 1 | 2`)
}
