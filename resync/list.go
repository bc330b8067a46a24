package resync

import (
	"context"
	_ "embed"
	"time"

	"github.com/google/uuid"

	"statewire/smx"
	"statewire/store"
)

// Steps of a resync, as the store's view resync_outcomes says them.
const (
	stepIssued    = "issued"    // the client has not asked for its policy since
	stepPickedUp  = "picked up" // the client has the request
	stepAnswering = "answering" // a report of the answer arrived
	stepCompleted = "completed"
	stepAccepted  = "accepted"   // a person accepted a baseline: nobody waits for the answer
	stepReplaced  = "replaced"   // asked again under a later number, before it expired
	stepExpired   = "unanswered" // not completed in time; asked again when it is still needed and its turn
	stepLate      = "late"       // completed after it had expired
)

// Status is a resync and how far it is. Times of steps that have not happened are zero.
type Status struct {
	Client     string        `json:"client_id"`
	Name       string        `json:"netbios_name"`
	Number     uint32        `json:"number"`
	Reason     string        `json:"reason"`
	By         string        `json:"by"`
	NextSerial uint64        `json:"next_serial"`
	Step       string        `json:"step"`
	Issued     time.Time     `json:"issued_time"`
	PickedUp   time.Time     `json:"picked_up_time,omitzero"`
	Answering  time.Time     `json:"answering_time,omitzero"`
	Completed  time.Time     `json:"completed_time,omitzero"`
	Expired    time.Time     `json:"expired_time,omitzero"` // not completed by then, which was final
	Age        time.Duration `json:"age_ns"`                // since it was issued, or from then until it was completed
}

// ListOptions select resyncs.
type ListOptions struct {
	Client smx.ClientID  // zero is every client
	Within time.Duration // issued within; zero is the merge interval
	Open   bool          // only the outstanding ones
	Limit  int           // zero is 100,000
}

// listLimit is the most that a list holds.
const listLimit = 100_000

//go:embed sql/list.sql
var listSQL string

// List returns the resyncs issued lately, the latest first: those outstanding, and what became of the others.
func (s *Service) List(ctx context.Context, o ListOptions) ([]Status, error) {
	cfg := s.cfg.Load()
	if o.Within <= 0 {
		o.Within = cfg.offeredFor()
	}
	if o.Limit <= 0 || o.Limit > listLimit {
		o.Limit = listLimit
	}
	if err := s.flush(ctx); err != nil {
		return nil, err // a list without the latest pickups would mislead
	}
	now := s.now().UTC()
	client := ""
	if o.Client != (smx.ClientID{}) {
		client = o.Client.UUID()
	}
	args := []any{store.TimeArg("since", now.Add(-o.Within)), store.TextArg("client", client),
		store.UintArg("limit", uint64(o.Limit))}
	var list []Status
	err := s.store.store.EachRow(ctx, listSQL, args, func(scan func(...any) error) error {
		one, err := scanStatus(scan, now)
		if err == nil && (!o.Open || one.open()) {
			list = append(list, one)
		}
		return err
	})
	return list, wrap(err, "list the resyncs")
}

// open says whether the client still owes the answer.
func (s Status) open() bool {
	return s.Step == stepIssued || s.Step == stepPickedUp || s.Step == stepAnswering
}

func scanStatus(scan func(...any) error, now time.Time) (Status, error) {
	var client uuid.UUID
	var one Status
	err := scan(&client, &one.Name, &one.Number, &one.Reason, &one.By, &one.NextSerial, &one.Issued, &one.Step,
		&one.PickedUp, &one.Answering, &one.Completed, &one.Expired)
	if err != nil {
		return one, err
	}
	one.Client = client.String()
	for _, t := range []*time.Time{&one.PickedUp, &one.Answering, &one.Completed, &one.Expired} {
		if t.Unix() <= 0 {
			*t = time.Time{}
		}
	}
	one.Age = max(now.Sub(one.Issued), 0)
	if !one.Completed.IsZero() {
		one.Age = max(one.Completed.Sub(one.Issued), 0)
	}
	return one, nil
}
