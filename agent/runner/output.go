package runner

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"

	"statewire/agent/cache"
	"statewire/internal/topics"
	"statewire/notifier/wire"
	"statewire/smx"
)

// raiseOutput sends a long output as instant state messages; wire.OutputTopic says how they are told apart.
func (r *Runner) raiseOutput(task uuid.UUID, output []byte) error {
	if len(output) <= wire.MaxInline {
		return nil
	}
	pieces := pieces(output)
	states := make([]cache.State, len(pieces))
	for i, piece := range pieces {
		s := r.state(topics.ScriptResult, wire.OutputTopic(task, i+1, len(pieces)), 1, fmt.Sprint(i+1),
			fmt.Sprint(len(pieces)), fmt.Sprint(len(output)))
		s.Instant, s.DetailsType, s.Details = true, wire.OutputText, string(piece)
		if _, bad := smx.Uncarried(s.Details); bad > 0 {
			s.DetailsType, s.Details = wire.OutputBase64, base64.StdEncoding.EncodeToString(piece)
		}
		states[i] = s
	}
	if err := r.d.Agent.Raise(states...); err != nil {
		return fmt.Errorf("send the output of task %s: %w", task, err)
	}
	return nil
}

// pieces cuts an output into what one message carries, in base64, too; if it can, between two characters.
func pieces(output []byte) (all [][]byte) {
	for len(output) > wire.OutputPiece {
		at := wire.OutputPiece
		for at > wire.OutputPiece-utf8.UTFMax && !utf8.RuneStart(output[at]) {
			at--
		}
		all, output = append(all, output[:at]), output[at:]
	}
	return append(all, output)
}
