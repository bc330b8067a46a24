package explain

import "statewire/reports"

func (t *tracer) readVersions(rows []reports.Record) {
	for _, row := range rows {
		topic := Topic{uint32(row.Uint("topic")), row.Raw("id")}
		named := readTopic([]reports.Record{{"topic_name": row["topic_name"], "state": row["state"],
			"state_name": row["state_name"], "title": row["title"]}}, topic)
		t.versions = append(t.versions, version{
			hash: row.Uint("payload_hash"), rawTopic: topic, topic: named.title, state: named.state,
			raised: row.RawTime("raised"), raisedMicros: intMicros(row["raised_us"]), received: row.Time("received"),
			loaded: row.Time("loaded"),
			file:   row.Raw("source"), receipt: row.Raw("relay_receipt"),
			suspect: row.Uint("suspect") == 1, jumped: row.Uint("jumped") == 1,
		})
	}
}

func intMicros(v any) int64 {
	n, _ := v.(int64)
	return n
}

func (t *tracer) readAsideHere(rows []reports.Record) {
	var e evidence
	e.readAside(rows)
	t.aside = e.aside
}

func carrierRows(rows []reports.Record) []reportRow {
	var out []reportRow
	for _, r := range rows {
		out = append(out, reportRow{file: r.Raw("source_file"), receipt: r.Raw("relay_receipt"),
			received: r.Time("received_time"),
			made:     r.Time("made"), loaded: r.Time("loaded"), first: r.Uint("first"), last: r.Uint("last")})
	}
	return out
}

func (t *tracer) readWas(rows []reports.Record) {
	var e evidence
	e.readRanges(rows)
	t.was = e.ranges
}

func (t *tracer) readNeighbours(rows []reports.Record) {
	t.neighbours = map[string]neighbour{}
	for _, r := range rows {
		t.neighbours[r.Raw("side")] = neighbour{r.Uint("serial"), r.Time("received_time"), r.Time("loaded_time"),
			r.Raw("source_file")}
	}
}
