package reports

import "time"

// records reads all rows by column name, and closes them.
func (r *Rows) records() ([]record, error) {
	defer r.Close()
	var out []record
	for row := r.Next(); row != nil; row = r.Next() {
		rec := make(record, len(row))
		for i, c := range r.Columns {
			rec[c.Name] = row[i]
		}
		out = append(out, rec)
	}
	return out, r.Err()
}

// time is a time, zero for what the engine has in place of none.
func (r record) time(column string) time.Time {
	t := timeOf(r[column])
	if t.Unix() <= 0 {
		return time.Time{}
	}
	return t
}

func (r record) uint(column string) uint64 {
	switch n := r[column].(type) {
	case uint64:
		return n
	case int64:
		return uint64(max(0, n))
	}
	return 0
}

func (e *evidence) readHeader(rows []record) {
	if len(rows) == 0 {
		return
	}
	r := rows[0]
	e.client.Name = r.raw("netbios_name")
	e.header = header{
		version: r.raw("client_version"), firstReport: r.time("first_report"), lastReport: r.time("last_report"),
		seen: r.uint("seen"), claimed: r.uint("claimed"), claimedTime: r.time("claimed_time"),
		cacheStates: r.count("cache_states"), cacheUnsent: r.count("cache_unsent"), cacheTime: r.time("cache_time"),
		floor: r.uint("floor"), completionFloor: r.uint("completion_floor"), completionTime: r.time("completion_time"),
		baselineFloor: r.uint("baseline_floor"), baselineTime: r.time("baseline_time"),
		online: r.uint("online") == 1, onlineTime: r.time("online_time"), asideClaim: r.uint("aside_claim"), asideTime: r.time("aside_time"),
	}
	if h := &e.header; h.lastReport.After(h.cacheTime) { // what it said of its states before its latest report is no longer so
		h.cacheStates, h.cacheUnsent, h.cacheTime = 0, 0, time.Time{}
	}
	if at := r.time("differs_time"); !at.IsZero() {
		e.differs = &difference{r.count("differs_client"), r.count("differs_site"), at}
	}
	if r.uint("wish_found") == 1 {
		e.wish, e.wishAfter = &wish{r.time("wish_time"), r.raw("wish_by")}, r.uint("wish_after")
	}
}

func (e *evidence) readRuns(rows []record) {
	for _, r := range rows {
		e.runs = append(e.runs, run{r.uint("first"), r.uint("last")})
	}
}

func (e *evidence) readRanges(rows []record) {
	for _, r := range rows {
		e.ranges = append(e.ranges, missingRange{run{r.uint("first"), r.uint("last")}, r.time("detected_time"), r.time("checked_time"), r.uint("closed") != 0})
	}
}

func (e *evidence) readCompletions(rows []record) {
	for _, r := range rows {
		e.completions = append(e.completions, completion{r.uint("serial"), r.uint("floor"), r.time("received_time")})
	}
}

func (e *evidence) readRequests(rows []record) {
	for _, r := range rows {
		e.requests = append(e.requests, issuedResync{
			number: r.uint("number"), issued: r.time("issued"), pickedUp: r.time("picked_up"), answering: r.time("answering"),
			completed: r.time("completed_time"), expired: r.time("expired_time"), reason: r.raw("reason"), by: r.raw("issued_by"), nextSerial: r.uint("next_serial"),
			reached: step(r.raw("step")),
		})
	}
	if e.wish == nil {
		return
	}
	became := len(e.requests) > 0 && e.requests[0].number > e.wishAfter
	if needless := !e.header.baselineTime.Before(e.wish.time); became || needless {
		e.wish = nil
	}
}

func (e *evidence) readConflicts(rows []record) {
	for _, r := range rows {
		e.conflicts = append(e.conflicts, conflict{r.uint("serial"), r.raw("kind"), r.time("received_time"), r.time("detected_time")})
	}
}

func (e *evidence) readAside(rows []record) {
	for _, r := range rows {
		rec := asideRecord{code: r.raw("code"), reason: r.raw("reason"), file: r.raw("source_file"), record: r.uint("record_index"), received: r.time("received_time"),
			how: r.raw("how"), by: r.raw("by"), why: r.raw("why"), ended: r.time("end_time")}
		if r["serial"] != nil {
			serial := r.uint("serial")
			rec.serial = &serial
		}
		e.aside, e.asideCount, e.asideLying = append(e.aside, rec), r.count("all_records"), r.count("lying")
	}
}

func (e *evidence) readBadFiles(rows []record) {
	r := rows[0]
	e.badFiles = badFiles{count: r.count("files"), latest: r.raw("latest"), why: r.raw("why"), time: r.time("time"), before: r.uint("before") == 1}
}

func (e *evidence) readCheck(rows []record) {
	for _, r := range rows {
		e.lastCheck, e.outstanding = r.time("time"), r.count("outstanding")
	}
}

func reportRows(rows []record) []reportRow {
	var out []reportRow
	for _, r := range rows {
		out = append(out, reportRow{
			file: r.raw("source_file"), receipt: r.raw("receipt"), received: r.time("received_time"), made: r.time("report_time"), loaded: r.time("loaded"),
			first: r.uint("first"), last: r.uint("last"),
		})
	}
	return out
}
