package reference

import (
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/beevik/etree"

	"statewire/smx"
)

// message is a StateMessage as etree has it.
type message struct {
	smx.Message
	flags uint8
	code  string     // why it is set aside: the first reason in the document's order
	whole *smx.Error // why the whole document is refused
}

// blame notes a reason unless ok.
func (m *message) blame(ok bool, why string) {
	if !ok && m.code == "" {
		m.code = why
	}
}

func (m *message) refuse(f *smx.Error) {
	if m.whole == nil {
		m.whole = f
	}
}

func (m *message) number(s *string, bits int, mandatory bool) uint64 {
	m.blame(s != nil || !mandatory, smx.CodeMissing)
	if s == nil {
		return 0
	}
	n, err := strconv.ParseUint(*s, 10, bits)
	m.blame(err == nil && plainForm.MatchString(*s), smx.CodeNumber)
	return n
}

func (m *message) read(e *etree.Element) {
	when := attribute(e, "MessageTime")
	m.blame(when != nil, smx.CodeMissing)
	us, ok := Time(valueOf(when))
	m.blame(ok, smx.CodeDate)
	m.Time = time.UnixMicro(us)
	m.readSerial(attribute(e, "SerialNumber"))
	seen := map[string]bool{}
	for _, part := range e.ChildElements() {
		read := map[string]func(*etree.Element){
			"Topic": m.readTopic, "State": m.readState, "StateDetails": m.readDetails, "UserParameters": m.readParams,
		}[part.Tag]
		if part.Space == "" && read != nil {
			m.blame(!seen[part.Tag], smx.CodeDuplicate)
			seen[part.Tag] = true
			read(part)
		}
	}
	m.blame(seen["Topic"] && seen["State"], smx.CodeMissing)
}

func (m *message) readSerial(s *string) {
	if s == nil {
		return
	}
	n, ok := new(big.Int).SetString(*s, 10)
	bad := !ok || !plainForm.MatchString(*s) || n.Sign() == 0
	m.blame(!bad, smx.CodeSerial)
	if bad {
		return
	}
	overflow := n.Cmp(big.NewInt(math.MaxInt64/2+1)) > 0
	m.blame(!overflow, smx.CodeSerialOverflow)
	if !overflow {
		m.Serial = n.Uint64()
	}
}

func (m *message) readTopic(e *etree.Element) {
	id := attribute(e, "ID")
	m.blame(id != nil, smx.CodeMissing)
	m.TopicID, m.User, m.UserSID = valueOf(id), valueOf(attribute(e, "User")), valueOf(attribute(e, "UserSID"))
	m.Title = valueOf(attribute(e, "Title"))
	m.TopicType = uint32(m.number(attribute(e, "Type"), 32, true))
	m.TopicIDType = uint16(m.number(attribute(e, "IDType"), 16, false))
}

func (m *message) readState(e *etree.Element) {
	m.StateID = uint32(m.number(attribute(e, "ID"), 32, true))
	m.Criticality = uint32(m.number(attribute(e, "Criticality"), 32, false))
}

func (m *message) readDetails(e *etree.Element) {
	if s := attribute(e, "Type"); s != nil {
		n, err := strconv.ParseInt(*s, 10, 32)
		m.blame(err == nil && signedForm.MatchString(*s), smx.CodeNumber)
		m.DetailsType = int32(n)
	}
	m.Details = content(e)
	m.refuse(tooLong(e, smx.MaxDetailsBytes))
}

func (m *message) readParams(e *etree.Element) {
	for _, p := range children(e, "Param") {
		m.blame(len(m.Params) < smx.MaxParams, smx.CodeParams)
		m.Params = append(m.Params, content(p))
		m.refuse(tooLong(p, smx.MaxTextBytes))
	}
	if s := attribute(e, "Count"); s != nil {
		if n, err := strconv.ParseUint(*s, 10, 32); err != nil || n != uint64(len(m.Params)) {
			m.flags |= smx.CountMismatch
		}
	}
}
