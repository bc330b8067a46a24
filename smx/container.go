package smx

import (
	"strconv"
	"time"
)

// Accepted is one report that passed Check, as AppendFile writes it.
type Accepted struct {
	Client   ClientID
	Received time.Time // kept to the microsecond
	Receipt  string
	Messages int
	Body     []byte // Checked.Body
}

// declarationUTF8 begins every document that is written here.
const declarationUTF8 = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// fileFormat is the version of the relay-written file. A reader refuses others
// instead of guessing.
const fileFormat = "1.0"

// EntryBytes bounds what AppendFile writes around a report, its receipt left
// out.
const EntryBytes = 160

// AppendFile appends a relay-written file with the given reports, see
// docs/smx-format.md. Its first element names every client once, so that a
// reader knows whom the file concerns without reading the reports. The caller
// keeps the file below MaxFileBytes; around its reports it takes at most
// EntryBytes for each and a few hundred bytes.
func AppendFile(dst []byte, reports []Accepted) []byte {
	dst = append(dst, declarationUTF8...)
	dst = append(dst, `<Reports Format="`+fileFormat+`">`+"\n"...)
	dst = appendIndex(dst, reports)
	for i := range reports {
		r := &reports[i]
		dst = append(dst, `<Received Time="`...)
		dst = AppendTime(dst, r.Received)
		dst = append(dst, `" Receipt="`...)
		dst = appendEscaped(dst, r.Receipt, true)
		dst = append(dst, `">`...)
		dst = append(dst, r.Body...)
		dst = append(dst, "</Received>\n"...)
	}
	return append(dst, "</Reports>\n"...)
}

func appendIndex(dst []byte, reports []Accepted) []byte {
	messages := 0
	for i := range reports {
		messages += reports[i].Messages
	}
	dst = append(dst, `<Clients Reports="`...)
	dst = strconv.AppendInt(dst, int64(len(reports)), 10)
	dst = append(dst, `" Messages="`...)
	dst = strconv.AppendInt(dst, int64(messages), 10)
	dst = append(dst, "\">\n"...)
	seen := make(map[ClientID]struct{}, len(reports))
	for i := range reports {
		c := reports[i].Client
		if _, again := seen[c]; again {
			continue
		}
		seen[c] = struct{}{}
		dst = append(dst, `<Client ID="`...)
		dst = c.append(dst)
		dst = append(dst, "\"/>\n"...)
	}
	return append(dst, "</Clients>\n"...)
}
