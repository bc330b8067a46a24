package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"statewire/smx"
)

// insert stores a batch in all tables. Repeating it changes no answer: every row's key, and what its key keeps, comes from
// the files. The rows of one table are one block.
func (l *Loader) insert(ctx context.Context, b *batch) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, t := range []table{messagesTable(b), reportsTable(b), rangesTable(b), recordsTable(b, l.now()), filesTable(b, l.now())} {
		if t.rows > 0 {
			g.Go(func() error { return l.insertTable(gctx, t) })
		}
	}
	return g.Wait()
}

// table is the rows for one table, column by column in the order of its statement.
type table struct {
	sql     string
	rows    int
	columns []any
}

func (l *Loader) insertTable(ctx context.Context, t table) error {
	err := send(l.store.InsertContext(ctx), l.store.Conn(), t)
	if err != nil {
		return fmt.Errorf("insert %d rows: %w", t.rows, err)
	}
	return nil
}

func send(ctx context.Context, conn driver.Conn, t table) error {
	batch, err := conn.PrepareBatch(ctx, t.sql)
	if err != nil {
		return err
	}
	for i, values := range t.columns {
		if err := batch.Column(i).Append(values); err != nil {
			_ = batch.Abort() // the append's error says more
			return err
		}
	}
	return batch.Send()
}

func messagesTable(b *batch) table {
	r, n := &b.rows, b.rows.Len()
	clients, received := make([]uuid.UUID, n), make([]time.Time, n)
	files, receipts := make([]string, n), make([]string, n)
	params := make([][]string, n)
	b.eachReport(func(s *source, report *smx.ReportRow) {
		at := time.UnixMicro(s.received(report.Received))
		for i := report.FirstMessage; i < report.FirstMessage+report.Messages; i++ {
			clients[i], received[i] = uuid.UUID(report.Client), at
			files[i], receipts[i] = s.file.Name, report.Receipt
		}
	})
	from := uint32(0)
	for i, to := range r.ParamsEnd {
		params[i] = r.Params[from:to]
		from = to
	}
	return table{
		sql: `INSERT INTO state_messages (client_id, serial, received_time, topic_type, topic_id, topic_id_type, state_id,
			criticality, params, details, source_file, user, user_sid, details_type, flags, receipt, payload_hash, message_us)`,
		rows: n,
		columns: []any{clients, r.Serial, received, r.TopicType, r.TopicID, r.TopicIDType, r.StateID,
			r.Criticality, params, r.Details, files, r.User, r.UserSID, r.DetailsType, r.Flags, receipts, r.Hash, r.Time},
	}
}

func reportsTable(b *batch) table {
	n := len(b.rows.Reports)
	var (
		clients                 = make([]uuid.UUID, 0, n)
		received, reported      = make([]time.Time, 0, n), make([]time.Time, 0, n)
		files, receipts         = make([]string, 0, n), make([]string, 0, n)
		names, versions         = make([]string, 0, n), make([]string, 0, n)
		indexes, messages, bad  = make([]uint32, 0, n), make([]uint32, 0, n), make([]uint32, 0, n)
		types                   = make([]uint8, 0, n)
		firstSerial, lastSerial = make([]uint64, 0, n), make([]uint64, 0, n)
	)
	b.eachReport(func(s *source, r *smx.ReportRow) {
		low, high := serialBounds(b.rows.Serial[r.FirstMessage : r.FirstMessage+r.Messages])
		clients = append(clients, uuid.UUID(r.Client))
		received, reported = append(received, time.UnixMicro(s.received(r.Received))), append(reported, time.UnixMicro(r.Date))
		files, receipts = append(files, s.file.Name), append(receipts, r.Receipt)
		names, versions, types = append(names, r.NetBIOSName), append(versions, r.ClientVersion), append(types, r.ClientType)
		indexes = append(indexes, uint32(r.Index))
		messages, bad = append(messages, uint32(r.Messages+r.BadRecords)), append(bad, uint32(r.BadRecords))
		firstSerial, lastSerial = append(firstSerial, low), append(lastSerial, high)
	})
	return table{
		sql: `INSERT INTO client_reports (client_id, received_time, source_file, report_index, receipt, netbios_name, client_version,
			client_type, report_time, messages, set_aside, first_serial, last_serial)`,
		rows:    n,
		columns: []any{clients, received, files, indexes, receipts, names, versions, types, reported, messages, bad, firstSerial, lastSerial},
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

func rangesTable(b *batch) table {
	var clients []uuid.UUID
	var first, last []uint64
	add := func(client smx.ClientID, serial uint64) {
		if serial == 0 {
			return
		}
		if end := len(last) - 1; end >= 0 && clients[end] == uuid.UUID(client) && last[end]+1 == serial {
			last[end] = serial
			return
		}
		clients, first, last = append(clients, uuid.UUID(client)), append(first, serial), append(last, serial)
	}
	for r := range b.rows.Reports {
		report := &b.rows.Reports[r]
		for _, serial := range b.rows.Serial[report.FirstMessage : report.FirstMessage+report.Messages] {
			add(report.Client, serial)
		}
	}
	for i := range b.rows.Bad {
		if bad := &b.rows.Bad[i]; bad.HasSerial {
			add(b.rows.Reports[bad.Report].Client, bad.Serial)
		}
	}
	return table{
		sql:     `INSERT INTO serial_ranges (client_id, first_serial, last_serial)`,
		rows:    len(clients),
		columns: []any{clients, first, last},
	}
}

func recordsTable(b *batch, now time.Time) table {
	var (
		clients              []uuid.UUID
		files, codes, whys   []string
		reports, records     []uint32
		serials              []*uint64
		lines, columns       []uint32
		received, setAsideAt []time.Time
	)
	for i := range b.sources {
		s := &b.sources[i]
		for n := s.records.from; n < s.records.to; n++ {
			bad := &b.rows.Bad[n]
			report := &b.rows.Reports[bad.Report]
			var serial *uint64
			if bad.HasSerial {
				serial = &bad.Serial
			}
			clients, files = append(clients, uuid.UUID(report.Client)), append(files, s.file.Name)
			reports, records = append(reports, uint32(report.Index)), append(records, uint32(bad.Number))
			serials = append(serials, serial)
			codes, whys = append(codes, bad.Err.Code), append(whys, bad.Err.Detail)
			lines, columns = append(lines, uint32(bad.Err.Line)), append(columns, uint32(bad.Err.Column))
			received, setAsideAt = append(received, time.UnixMicro(s.received(report.Received))), append(setAsideAt, now)
		}
	}
	return table{
		sql: `INSERT INTO set_aside_records (client_id, source_file, report_index, record_index, serial, code, reason, line, column,
			received_time, set_aside_time)`,
		rows:    len(clients),
		columns: []any{clients, files, reports, records, serials, codes, whys, lines, columns, received, setAsideAt},
	}
}

func filesTable(b *batch, now time.Time) table {
	var (
		names, codes, whys []string
		lines, columns     []uint32
		bytes              []uint64
		setAsideAt         []time.Time
	)
	add := func(name string, size int64, why *smx.Error) {
		names, codes, whys = append(names, name), append(codes, why.Code), append(whys, why.Detail)
		lines, columns = append(lines, uint32(why.Line)), append(columns, uint32(why.Column))
		bytes, setAsideAt = append(bytes, uint64(size)), append(setAsideAt, now)
	}
	for i := range b.sources {
		s := &b.sources[i]
		if s.err != nil {
			add(s.file.Name, s.file.Size, s.err)
		}
		for n := s.badReports.from; n < s.badReports.to; n++ {
			bad := &b.rows.BadReports[n]
			add(fmt.Sprintf("%s.%d.SMX", s.file.Name, bad.Number), int64(len(bad.Raw)), &bad.Err)
		}
	}
	return table{
		sql:     `INSERT INTO bad_files (name, code, reason, line, column, bytes, set_aside_time)`,
		rows:    len(names),
		columns: []any{names, codes, whys, lines, columns, bytes, setAsideAt},
	}
}

// eachReport calls f for every readable report with the file it came from.
func (b *batch) eachReport(f func(*source, *smx.ReportRow)) {
	for i := range b.sources {
		s := &b.sources[i]
		for r := s.reports.from; r < s.reports.to; r++ {
			f(s, &b.rows.Reports[r])
		}
	}
}
