package packages

import (
	"io"
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"statewire/agent/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// topic is what a state is about: of each topic only the latest state counts.
type topic struct {
	kind uint32
	id   string
}

func topicOf(s *cache.State) topic { return topic{s.TopicType, s.TopicID} }
