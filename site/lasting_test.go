package site

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"statewire/inbox"
	"statewire/resync"
	"statewire/smx"
	"statewire/store/storetest"
)

// lastingOf is a manager that has a task for everybody.
type lastingOf string

func (l lastingOf) Lasting(_ context.Context, client uuid.UUID) ([][]byte, error) {
	return [][]byte{[]byte(`{"` + string(l) + `":"` + client.String() + `"}`)}, nil
}

// A client's lasting tasks come with its policy; without a manager, and while it starts, policies come without them.
func TestLastingTasksComeWithAPolicy(t *testing.T) {
	if _, err := (&managerSource{}).Lasting(t.Context(), uuid.New()); !errors.Is(err, errNoManager) {
		t.Errorf("a manager that has not started: %v", err)
	}
	client := smx.ClientID{0: 0xC1, 15: 7}
	want := `<Task>{"task":"` + uuid.UUID(client).String() + `"}</Task>`
	box, err := inbox.Open(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.New(t)
	for _, c := range []struct {
		from  lasting
		tasks int
	}{{lastingOf("task"), 1}, {&managerSource{}, 0}, {nil, 0}} {
		role, err := NewResyncRole(resync.DefaultConfig(), resync.Deps{Store: db, Unread: Unread(box),
			Log: slog.New(slog.DiscardHandler)}, nil, c.from)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- role.Resync.Run(ctx) }()
		var document []byte
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			document, _, err = role.Policies.Policy(t.Context(), smx.Poll{Client: client})
			if err == nil || time.Now().After(end) {
				break
			}
		}
		if err != nil || strings.Count(string(document), want) != c.tasks {
			t.Errorf("%T: %v\n%s", c.from, err, document)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
