package reports_test

import "statewire/reports/reportstest"

// What tests say at every turn.
type (
	message = reportstest.Message
	report  = reportstest.Report
)

const (
	hour = reportstest.Hour
	day  = reportstest.Day
)

var (
	id     = reportstest.ID
	lines  = reportstest.Lines
	expect = reportstest.Expect
)
