package ingest

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/internal/serials"
	"statewire/smx"
)

// reportsTable is a row per readable report: with the messages stored under a client it is the site's account of what
// arrived.
func reportsTable(b batch) table {
	var (
		clients                 []uuid.UUID
		received, reported      []time.Time
		files, receipts         []string
		names, versions         []string
		indexes, messages, bad  []uint32
		dropped                 []uint32
		types                   []uint8
		firstSerial, lastSerial []uint64
	)
	for r := range b.reports() {
		low, high := serialBounds(r.serials())
		clients, received, reported = append(clients, r.client()), append(received, r.received()), append(reported,
			time.UnixMicro(r.Date))
		files, receipts = append(files, r.source.file.Name), append(receipts, r.Receipt)
		names, versions, types = append(names, r.NetBIOSName), append(versions, r.ClientVersion), append(types, r.ClientType)
		indexes = append(indexes, uint32(r.Index))
		messages, bad = append(messages, uint32(r.Messages+r.BadRecords)), append(bad, uint32(r.BadRecords))
		dropped = append(dropped, uint32(r.dropped()))
		firstSerial, lastSerial = append(firstSerial, low), append(lastSerial, high)
	}
	return table{
		name: "client_reports",
		sql: `INSERT INTO client_reports (client_id, received_time, source_file, report_index, receipt, netbios_name, client_version,
			client_type, report_time, messages, set_aside, dropped, first_serial, last_serial)`,
		rows: len(clients),
		blocks: [][]any{{clients, received, files, indexes, receipts, names, versions, types, reported, messages, bad,
			dropped,
			firstSerial, lastSerial}},
	}
}

// serialBounds returns the least and greatest serial, 0 and 0 when no message has one.
func serialBounds(serials []uint64) (low, high uint64) {
	for _, s := range serials {
		if s != 0 && (low == 0 || s < low) {
			low = s
		}
		high = max(high, s)
	}
	return low, high
}

// rangesTables are the runs of serials that arrived, per report, for the table that keeps them and for the one that
// adds them up. Those of records that were set aside count: asking again would bring the same records.
func rangesTables(b batch) (ranges, arrivals table) {
	var clients []uuid.UUID
	var first, last, came []uint64
	for r := range b.reports() {
		came = append(came[:0], r.serials()...)
		for i := range r.bad {
			came = append(came, r.bad[i].Serial)
		}
		slices.Sort(came)
		for at := range serials.Of(came) {
			clients, first, last = append(clients, r.client()), append(first, at.First), append(last, at.Last)
		}
	}
	rows, blocks := len(clients), [][]any{{clients, first, last}}
	return table{"serial_ranges", `INSERT INTO serial_ranges (client_id, first_serial, last_serial)`, rows, blocks},
		table{"arrivals", `INSERT INTO arrivals (client_id, first_serial, last_serial) SETTINGS optimize_on_insert = 1`, rows,
			blocks}
}

// recordsTable is the bad records of readable reports that are kept.
func recordsTable(b batch, now time.Time) table {
	var (
		clients              []uuid.UUID
		files, codes, whys   []string
		keptAs               []string
		reports, records     []uint32
		serials              []*uint64
		lines, columns       []uint32
		received, setAsideAt []time.Time
	)
	for r := range b.reports() {
		if r.dropped() > 0 {
			continue
		}
		for i := range r.bad {
			bad := &r.bad[i]
			var serial *uint64
			if bad.HasSerial {
				serial = &bad.Serial
			}
			clients, files = append(clients, r.client()), append(files, r.source.file.Name)
			reports, records = append(reports, uint32(r.Index)), append(records, uint32(bad.Number))
			serials = append(serials, serial)
			codes, whys = append(codes, bad.Err.Code), append(whys, bad.Err.Detail)
			lines, columns = append(lines, uint32(bad.Err.Line)), append(columns, uint32(bad.Err.Column))
			received, setAsideAt = append(received, r.received()), append(setAsideAt, now)
			keptAs = append(keptAs, r.part.asides[r.row].name)
		}
	}
	return table{
		name: "set_aside_records",
		sql: `INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason, line, column,
			received_time, set_aside_time, kept_as)`,
		rows: len(clients),
		blocks: [][]any{{clients, files, reports, records, serials, codes, whys, lines, columns, received, setAsideAt,
			keptAs}},
	}
}

// badReportsTable is the bad reports of files whose other reports load.
func badReportsTable(b batch, now time.Time) table {
	var bad badFiles
	for _, p := range b {
		for i := range p.files() {
			s := &p.files()[i]
			for n := s.badReports.from; s.bad == nil && n < s.badReports.to; n++ {
				r := &p.rows.BadReports[n]
				bad.add(p.badReports[n], int64(len(r.Raw)), &r.Err)
			}
		}
	}
	return bad.table(now)
}

// badFiles is what was set aside as a whole.
type badFiles struct {
	names, codes, whys []string
	lines, columns     []uint32
	bytes              []uint64
}

func (f *badFiles) add(name string, size int64, why *smx.Error) {
	f.names, f.bytes = append(f.names, name), append(f.bytes, uint64(size))
	f.codes, f.whys = append(f.codes, why.Code), append(f.whys, why.Detail)
	f.lines, f.columns = append(f.lines, uint32(why.Line)), append(f.columns, uint32(why.Column))
}

func (f *badFiles) table(now time.Time) table {
	return table{
		name: "bad_files",
		sql:  `INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time)`,
		rows: len(f.names),
		blocks: [][]any{{f.names, f.codes, f.whys, f.lines, f.columns, f.bytes,
			slices.Repeat([]time.Time{now}, len(f.names))}},
	}
}
