package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"statewire/agent/local"
	"statewire/reports/explain"
	"statewire/smx"
)

// agentTimeout bounds the asking of the agent of this machine.
const agentTimeout = 2 * time.Second

// Log asks the agent of this machine what it knows of a message, if it is the client that the message is of. It runs
// beside the site's data, or where the shipped unit has it.
func Log(data string) func(context.Context, uuid.UUID, uint64) ([]explain.AgentEvent, error) {
	return func(ctx context.Context, client uuid.UUID, serial uint64) ([]explain.AgentEvent, error) {
		ctx, cancel := context.WithTimeout(ctx, agentTimeout)
		defer cancel()
		for _, home := range []string{data, agentHome} {
			own := local.Dial(Dir(home))
			status, err := own.Status(ctx)
			if err != nil || status.Client != smx.ClientID(client).String() {
				continue // no agent, none that this user may ask, or another client
			}
			sent, err := own.Trace(ctx, serial)
			if refused := new(local.Error); errors.As(err, &refused) && refused.Status == http.StatusNotFound {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			return agentEvents(sent), nil
		}
		return nil, nil
	}
}

// agentEvents is one message's way on its own client.
func agentEvents(s local.SentState) []explain.AgentEvent {
	var events []explain.AgentEvent
	add := func(at time.Time, step, format string, args ...any) {
		events = append(events, explain.AgentEvent{Time: at, Step: step, Text: fmt.Sprintf(format, args...)})
	}
	add(s.Raised, "raised", "The agent took it in: state %d of topic %d, %s.", s.StateID, s.TopicType, s.TopicID)
	add(s.Packed, "packed", "It was put into a report and got serial %d.", s.Serial)
	switch s.Outcome {
	case "accepted":
		add(s.Sent, "receipt", "The relay took the report: receipt %s, file %s.", s.Receipt, s.File)
	case "refused":
		add(s.Sent, "dead_letter", "The relay refused it for good (%s); `statewire agent messages --refused` shows it.",
			s.Code)
	default:
		add(time.Time{}, "sending", "The relay has not taken the report yet; the agent goes on trying.")
	}
	return events
}
