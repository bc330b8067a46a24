package wire

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// A task's output that no response carries whole comes as instant state messages of topic type 9003, state 1, whose
// details are a piece of it. Their parameters are the number of the piece, how many there are, and the size of the
// whole in bytes; the type of the details says how a piece is written.
const (
	OutputPiece  = 512 << 10 // bytes of a piece, at most
	OutputText   = 1         // type of details: the piece itself
	OutputBase64 = 2         // type of details: the piece in base64, for XML could not carry it
)

// OutputTopic is the topic id of a piece, which counts from 1: the task's id, and behind a slash the number where there
// are several.
func OutputTopic(task uuid.UUID, piece, pieces int) string {
	if pieces == 1 {
		return task.String()
	}
	return fmt.Sprintf("%s/%d", task, piece)
}

// ParseOutputTopic takes such a topic id apart; false when it is none.
func ParseOutputTopic(topic string) (task uuid.UUID, piece int, ok bool) {
	id, number, several := strings.Cut(topic, "/")
	task, err := uuid.Parse(id)
	if err != nil || task.String() != id {
		return uuid.UUID{}, 0, false
	}
	if !several {
		return task, 1, true
	}
	piece, err = strconv.Atoi(number)
	return task, piece, err == nil && piece > 0 && strconv.Itoa(piece) == number
}

// Answer is a frame with which a client tells of a task: Received or Response, and its payload.
type Answer struct {
	Kind    Kind
	Payload []byte
}
