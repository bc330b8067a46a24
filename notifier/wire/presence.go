package wire

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	// MaxRows bounds the clients of one file; a greater report has several parts.
	MaxRows = 50_000
	// MaxParts bounds the parts of a report.
	MaxParts = 1000
	// MaxReportBytes bounds a file that is read.
	MaxReportBytes = 64 << 20
	// MaxRowWhyBytes bounds a client's reason for HTTP, so that MaxRows of them fit into a file however they are escaped.
	MaxRowWhyBytes = 200
	// Extension ends the name of a presence file.
	Extension = ".BOS"
)

// Why a client is online or offline.
const (
	Online         = "signin"
	OfflineClosed  = "closed" // it said good-bye, or its system did
	OfflineReset   = "reset"
	OfflineSilent  = "silent" // nothing came for too long
	OfflineStop    = "server_stopping"
	OfflineLost    = "server_lost" // no report of its server for too long
	OfflineFull    = "server_full" // its server does not name it any more
	OfflineRevoked = "revoked"
	Duplicate      = "duplicate" // several machines have its identity
)

// Row is the presence of one client at one server.
type Row struct {
	Client      uuid.UUID
	Online      bool
	Channel     Channel
	Session     uint64 // greater is newer, whatever the server
	Seq         uint64 // greater is newer within a session
	Since       time.Time
	Last        time.Time // when the last byte came
	Address     string    // of the client
	Reason      string
	Certificate uint64 // number of the certificate that it signed in with; 0 = not told
	Why         string // why it came over HTTP, in the client's words; cut to MaxRowWhyBytes
}

// Report is one presence file: what changed since the last one, or all that are online.
type Report struct {
	Full              bool
	Server            string
	ServerID          uint32
	Epoch             uint64 // counts the server's starts
	Version           uint64 // counts its reports
	Base              uint64 // version that a delta builds on
	Part, Parts       int
	Time              time.Time
	Online, TCP, HTTP int // as the server counts them
	Rows              []Row
}

// BadRow is a row that cannot be read.
type BadRow struct {
	Number int // from 1
	Text   []byte
	Reason string
}

const reportRoot = "BgbOnlineStatus"

// Encode writes the file.
func (p Report) Encode() []byte {
	w := newWriter(reportRoot)
	w.b.Grow(300 + 250*len(p.Rows))
	w.attr("Format", "1")
	kind := "Delta"
	if p.Full {
		kind = "Full"
	}
	w.attr("Type", kind)
	w.attr("Server", Cut(p.Server, maxText))
	w.number("ServerID", uint64(p.ServerID))
	w.number("Epoch", p.Epoch)
	w.number("Version", p.Version)
	w.number("Base", p.Base)
	w.number("Part", uint64(p.Part))
	w.number("Parts", uint64(p.Parts))
	w.time("Time", p.Time)
	w.number("Online", uint64(p.Online))
	w.number("Tcp", uint64(p.TCP))
	w.number("Http", uint64(p.HTTP))
	for i := range p.Rows {
		p.Rows[i].write(w)
	}
	return w.end(reportRoot)
}

func (r *Row) write(w *writer) {
	w.open("Client")
	w.attr("ID", clientText(r.Client))
	status := uint64(0)
	if r.Online {
		status = 1
	}
	w.number("Status", status)
	w.number("Channel", uint64(r.Channel))
	w.number("Session", r.Session)
	w.number("Seq", r.Seq)
	w.time("Since", r.Since)
	w.time("Last", r.Last)
	w.attr("Address", Cut(r.Address, maxText))
	w.attr("Reason", Cut(r.Reason, maxText))
	if r.Certificate > 0 {
		w.number("Certificate", r.Certificate)
	}
	w.given("Why", Cut(r.Why, MaxRowWhyBytes))
	w.empty()
}

// DecodeReport reads a file. A row that cannot be read is told, and the others count; the error says why the file as a
// whole cannot be used.
func DecodeReport(data []byte) (p Report, bad []BadRow, err error) {
	if len(data) > MaxReportBytes {
		return p, nil, fmt.Errorf("read a presence file: %d bytes; allowed are %d", len(data), MaxReportBytes)
	}
	r, err := newReader(data, reportRoot)
	if err != nil {
		return p, nil, err
	}
	p.head(r.root)
	rows := 0
	err = r.each("Client", func(e *element) error {
		if rows++; rows > MaxRows {
			return fmt.Errorf("more than %d clients", MaxRows)
		}
		row := readRow(e)
		if e.err != nil {
			bad = append(bad, BadRow{rows, e.raw, e.err.Error()})
			return nil
		}
		p.Rows = append(p.Rows, row)
		return nil
	})
	if err := wrap("presence file", r.root, err); err != nil {
		return Report{}, nil, err
	}
	return p, bad, nil
}

// head reads the root's attributes.
func (p *Report) head(root *element) {
	if format := root.attrs["Format"]; format != "1" {
		root.fail("Format is %.20q; this program reads 1", format)
	}
	switch kind := root.attrs["Type"]; kind {
	case "Full":
		p.Full = true
	case "Delta":
	default:
		root.fail("Type is %.20q; allowed are Delta and Full", kind)
	}
	if p.Server = root.text("Server", maxText); p.Server == "" {
		root.fail("Server is missing")
	}
	p.ServerID = uint32(root.number("ServerID", 1<<32-1))
	p.Epoch = root.number("Epoch", 1<<62)
	p.Version = root.number("Version", 1<<62)
	p.Base = root.number("Base", 1<<62)
	p.Part, p.Parts = int(root.number("Part", MaxParts)), int(root.number("Parts", MaxParts))
	p.Time = root.time("Time")
	p.Online = int(root.number("Online", 1<<31))
	p.TCP = int(root.number("Tcp", 1<<31))
	p.HTTP = int(root.number("Http", 1<<31))
	switch {
	case p.ServerID == 0 || p.Epoch == 0 || p.Version == 0:
		root.fail("ServerID, Epoch and Version begin at 1")
	case p.Part < 1 || p.Part > p.Parts:
		root.fail("Part %d of %d is none", p.Part, p.Parts)
	case p.Base >= p.Version:
		root.fail("Base %d is not before Version %d", p.Base, p.Version)
	}
}

func readRow(e *element) Row {
	row := Row{Client: e.client("ID"), Online: e.number("Status", 1) == 1, Channel: Channel(e.number("Channel", 1)),
		Session: e.number("Session", 1<<62), Seq: e.number("Seq", 1<<62), Since: e.time("Since"), Last: e.time("Last"),
		Address: e.text("Address", maxText), Reason: e.text("Reason", maxText), Why: e.text("Why", MaxRowWhyBytes)}
	if _, told := e.attrs["Certificate"]; told {
		row.Certificate = e.number("Certificate", 1<<63-1)
	}
	if row.Reason == "" {
		e.fail("Reason is missing")
	}
	return row
}

// ReportName is a new name for a presence file.
func ReportName() string { return boxName() + Extension }

// boxName is Bgb and eight letters or digits that were hardly ever drawn before.
func boxName() string {
	const signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	var drawn [8]byte
	_, _ = rand.Read(drawn[:]) // it never fails
	for i, b := range drawn {
		drawn[i] = signs[int(b)%len(signs)]
	}
	return "Bgb" + string(drawn[:])
}
