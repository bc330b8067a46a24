package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	// RequestType is what the envelope of a task says it holds.
	RequestType = "application/vnd.statewire.task+xml"
	// CancelType is what the envelope of a cancellation says it holds.
	CancelType = "application/vnd.statewire.cancel+xml"

	// TypePolicy is a task that has a client ask for its policy; TypePack is a task of a pack.
	TypePolicy = 1
	TypePack   = 15

	// MaxParameters and MaxParameterBytes bound what a task is given.
	MaxParameters     = 10
	MaxParameterBytes = 16 << 10

	requestRoot = "BgbRequestMessage"
	cancelRoot  = "BgbCancelMessage"
	pushBytes   = 8
)

// RequestMessage is what one client is asked to do. The site signs it for that client alone.
type RequestMessage struct {
	TaskID   uint64
	Task     uuid.UUID // the task's id: a client does it once
	Type     uint32    // TypePolicy or TypePack
	Site     uuid.UUID
	Client   uuid.UUID
	Issued   time.Time     // by the site's clock, to the second
	NotAfter time.Time     // it never begins later
	Delay    time.Duration // whole seconds from its receipt until it begins
	Timeout  time.Duration // whole seconds it may run; 0 leaves it to the pack

	Pack        string
	PackVersion string
	PackHash    string // sha256:…
	Name        string // of the task in the pack

	Parameters []Parameter
}

// Parameter is a value that a task is given.
type Parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Encode writes the message. The same message has the same bytes.
func (m RequestMessage) Encode() []byte {
	w := newWriter(requestRoot)
	w.attr("Version", "1")
	w.number("TaskID", m.TaskID)
	w.attr("TaskGUID", m.Task.String())
	w.number("TaskType", uint64(m.Type))
	w.attr("Site", m.Site.String())
	w.attr("Client", clientText(m.Client))
	w.time("Issued", m.Issued.Truncate(time.Second))
	w.time("NotAfter", m.NotAfter.Truncate(time.Second))
	w.number("Delay", uint64(m.Delay/time.Second))
	w.number("Timeout", uint64(m.Timeout/time.Second))
	w.attr("Pack", m.Pack)
	w.attr("PackVersion", m.PackVersion)
	w.attr("PackHash", m.PackHash)
	w.attr("Task", m.Name)
	for _, p := range m.Parameters {
		w.open("Parameter")
		w.attr("Name", p.Name)
		w.content(p.Value)
	}
	return w.end(requestRoot)
}

// DecodeRequest reads the message.
func DecodeRequest(data []byte) (m RequestMessage, err error) {
	r, err := newReader(data, requestRoot)
	if err != nil {
		return m, err
	}
	root := r.root
	root.version("Version")
	m.TaskID = root.number("TaskID", 1<<62)
	m.Task = root.uuid("TaskGUID")
	m.Type = uint32(root.number("TaskType", 1<<32-1))
	m.Site, m.Client = root.uuid("Site"), root.client("Client")
	m.Issued, m.NotAfter = root.time("Issued"), root.time("NotAfter")
	m.Delay = time.Duration(root.number("Delay", maxTaskSeconds)) * time.Second
	m.Timeout = time.Duration(root.number("Timeout", maxTaskSeconds)) * time.Second
	m.Pack, m.PackVersion = root.text("Pack", 255), root.text("PackVersion", maxText)
	m.PackHash, m.Name = root.text("PackHash", maxText), root.text("Task", 255)
	size := 0
	err = r.each("Parameter", func(e *element) error {
		p := Parameter{e.text("Name", 255), e.body}
		if size += len(p.Value); len(m.Parameters) == MaxParameters || size > MaxParameterBytes {
			return fmt.Errorf("more than %d parameters, or more than %d bytes of them", MaxParameters, MaxParameterBytes)
		}
		m.Parameters = append(m.Parameters, p)
		return e.err
	})
	return m, wrap("task", root, err)
}

// maxTaskSeconds bounds delays and time-outs: the longest validity.
const maxTaskSeconds = 31 * 24 * 60 * 60

// CancelMessage takes a task back from one client, unless it has begun.
type CancelMessage struct {
	Task   uuid.UUID
	Site   uuid.UUID
	Client uuid.UUID
	Issued time.Time // to the second
}

// Encode writes the message.
func (m CancelMessage) Encode() []byte {
	w := newWriter(cancelRoot)
	w.attr("Version", "1")
	w.attr("TaskGUID", m.Task.String())
	w.attr("Site", m.Site.String())
	w.attr("Client", clientText(m.Client))
	w.time("Issued", m.Issued.Truncate(time.Second))
	return w.end(cancelRoot)
}

// DecodeCancel reads the message.
func DecodeCancel(data []byte) (m CancelMessage, err error) {
	r, err := newReader(data, cancelRoot)
	if err != nil {
		return m, err
	}
	r.root.version("Version")
	m.Task, m.Site = r.root.uuid("TaskGUID"), r.root.uuid("Site")
	m.Client, m.Issued = r.root.client("Client"), r.root.time("Issued")
	return m, wrap("cancellation", r.root, r.each("", nil))
}

// AppendPush adds a Request or Cancel frame to dst.
func AppendPush(dst []byte, k Kind, push uint64, envelope []byte) []byte {
	dst = slices.Grow(dst, HeaderBytes+pushBytes+len(envelope))
	dst = binary.BigEndian.AppendUint32(dst, uint32(1+pushBytes+len(envelope)))
	dst = binary.BigEndian.AppendUint64(append(dst, byte(k)), push)
	return append(dst, envelope...)
}

// JoinPush is the payload of a Request or Cancel frame: which delivery it is, then the envelope. The number is outside
// of it, so that a second delivery has the same signature.
func JoinPush(push uint64, envelope []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, pushBytes+len(envelope)), push), envelope...)
}

// SplitPush takes such a payload apart.
func SplitPush(payload []byte) (push uint64, envelope []byte, err error) {
	if len(payload) <= pushBytes {
		return 0, nil, &FrameError{CloseBadFrame, "a task without an envelope"}
	}
	return binary.BigEndian.Uint64(payload), payload[pushBytes:], nil
}

// JoinTasks is the payload of a ResponseConfirm frame: the tasks whose results are durable.
func JoinTasks(tasks []uuid.UUID) []byte {
	var out []byte
	for _, id := range tasks {
		out = append(out, id[:]...)
	}
	return out
}

// SplitTasks takes such a payload apart.
func SplitTasks(payload []byte) (tasks []uuid.UUID, err error) {
	if len(payload)%16 != 0 {
		return nil, &FrameError{CloseBadFrame, "a confirmation of results that is cut"}
	}
	for ; len(payload) > 0; payload = payload[16:] {
		tasks = append(tasks, uuid.UUID(payload[:16]))
	}
	return tasks, nil
}
