package reports

func (t *tracer) readVersions(rows []record) {
	for _, row := range rows {
		topic := Topic{uint32(row.uint("topic")), row.raw("id")}
		named := readTopic([]record{{"topic_name": row["topic_name"], "state": row["state"], "state_name": row["state_name"]}}, topic)
		t.versions = append(t.versions, version{
			hash: row.uint("payload_hash"), rawTopic: topic, topic: named.title, state: named.state,
			raised: timeOf(row["raised"]), raisedMicros: intMicros(row["raised_us"]), received: row.time("received"), loaded: row.time("loaded"),
			file: row.raw("source"), receipt: row.raw("relay_receipt"),
			suspect: row.uint("suspect") == 1, jumped: row.uint("jumped") == 1,
		})
	}
}

func intMicros(v any) int64 {
	n, _ := v.(int64)
	return n
}

func (t *tracer) readAsideHere(rows []record) {
	var e evidence
	e.readAside(rows)
	t.aside = e.aside
}

func carrierRows(rows []record) []reportRow {
	var out []reportRow
	for _, r := range rows {
		out = append(out, reportRow{file: r.raw("source_file"), receipt: r.raw("relay_receipt"), received: r.time("received_time"),
			made: r.time("made"), loaded: r.time("loaded"), first: r.uint("first"), last: r.uint("last")})
	}
	return out
}

func (t *tracer) readWas(rows []record) {
	var e evidence
	e.readRanges(rows)
	t.was = e.ranges
}

func (t *tracer) readNeighbours(rows []record) {
	t.neighbours = map[string]neighbour{}
	for _, r := range rows {
		t.neighbours[r.raw("side")] = neighbour{r.uint("serial"), r.time("received_time"), r.time("loaded_time"), r.raw("source_file")}
	}
}
