package explain

import (
	"time"

	"statewire/internal/serials"
	"statewire/reports"
)

func (e *evidence) readHeader(rows []reports.Record) {
	if len(rows) == 0 {
		return
	}
	r := rows[0]
	e.client.Name = r.Raw("netbios_name")
	e.header = header{
		version: r.Raw("client_version"), firstReport: r.Time("first_report"), lastReport: r.Time("last_report"),
		seen: r.Uint("seen"), claimed: r.Uint("claimed"), claimedTime: r.Time("claimed_time"),
		cacheStates: r.Count("cache_states"), cacheUnsent: r.Count("cache_unsent"), cacheTime: r.Time("cache_time"),
		floor: r.Uint("floor"), completionFloor: r.Uint("completion_floor"), completionTime: r.Time("completion_time"),
		baselineFloor: r.Uint("baseline_floor"), baselineTime: r.Time("baseline_time"),
		asideClaim: r.Uint("aside_claim"),
		asideTime:  r.Time("aside_time"),
		retired:    r.Time("retired_time"), retiredBy: r.Raw("retired_by"), retiredWhy: r.Raw("retired_reason"),
	}
	// what it said of its states before its latest report is no longer so
	if h := &e.header; h.lastReport.After(h.cacheTime) {
		h.cacheStates, h.cacheUnsent, h.cacheTime = 0, 0, time.Time{}
	}
	if at := r.Time("differs_time"); !at.IsZero() {
		e.differs = &difference{r.Count("differs_client"), r.Count("differs_site"), at}
	}
	if r.Uint("wish_found") == 1 {
		e.wish, e.wishAfter = &wish{r.Time("wish_time"), r.Raw("wish_by")}, r.Uint("wish_after")
	}
}

func (e *evidence) readRuns(rows []reports.Record) {
	for _, r := range rows {
		e.runs = append(e.runs, serials.Run{First: r.Uint("first"), Last: r.Uint("last")})
	}
}

func (e *evidence) readRanges(rows []reports.Record) {
	for _, r := range rows {
		e.ranges = append(e.ranges, missingRange{serials.Run{First: r.Uint("first"), Last: r.Uint("last")},
			r.Time("detected_time"),
			r.Time("checked_time"), r.Uint("closed") != 0})
	}
}

func (e *evidence) readCompletions(rows []reports.Record) {
	for _, r := range rows {
		e.completions = append(e.completions, completion{r.Uint("serial"), r.Uint("floor"), r.Time("received_time")})
	}
}

func (e *evidence) readRequests(rows []reports.Record) {
	for _, r := range rows {
		e.requests = append(e.requests, Resync{
			Number: r.Uint("number"), Issued: r.Time("issued"), PickedUp: r.Time("picked_up"), Answering: r.Time("answering"),
			Completed: r.Time("completed_time"), Expired: r.Time("expired_time"), Reason: r.Raw("reason"),
			By: r.Raw("issued_by"), NextSerial: r.Uint("next_serial"),
			Reached: Progress(r.Raw("step")),
		})
	}
	if e.wish == nil {
		return
	}
	became := len(e.requests) > 0 && e.requests[0].Number > e.wishAfter
	needless := !e.header.baselineTime.Before(e.wish.time)
	if became || needless {
		e.wish = nil
	}
}

func (e *evidence) readConflicts(rows []reports.Record) {
	for _, r := range rows {
		e.conflicts = append(e.conflicts, conflict{r.Uint("serial"), r.Raw("kind"), r.Time("received_time"),
			r.Time("detected_time")})
	}
}

func (e *evidence) readAside(rows []reports.Record) {
	for _, r := range rows {
		rec := asideRecord{code: r.Raw("code"), reason: r.Raw("reason"), file: r.Raw("source_file"),
			record: r.Uint("record_index"), received: r.Time("received_time"),
			how: r.Raw("how"), by: r.Raw("by"), why: r.Raw("why"), ended: r.Time("end_time")}
		if r["serial"] != nil {
			serial := r.Uint("serial")
			rec.serial = &serial
		}
		e.aside, e.asideCount, e.asideLying = append(e.aside, rec), r.Count("all_records"), r.Count("lying")
	}
}

func (e *evidence) readBadFiles(rows []reports.Record) {
	r := rows[0]
	e.badFiles = badFiles{count: r.Count("files"), latest: r.Raw("latest"), why: r.Raw("why"), time: r.Time("time"),
		before: r.Uint("before") == 1}
}

func (e *evidence) readCheck(rows []reports.Record) {
	for _, r := range rows {
		e.lastCheck, e.outstanding = r.Time("time"), r.Count("outstanding")
	}
}

func reportRows(rows []reports.Record) []reportRow {
	var out []reportRow
	for _, r := range rows {
		out = append(out, reportRow{
			file: r.Raw("source_file"), receipt: r.Raw("receipt"), received: r.Time("received_time"),
			made: r.Time("report_time"), loaded: r.Time("loaded"),
			first: r.Uint("first"), last: r.Uint("last"),
		})
	}
	return out
}
