package main

import (
	"context"
	"time"

	"statewire/cmd/statewire/cli"
	summaries "statewire/reports/summary"
	"statewire/store"
)

// oldSummary is the age from which somebody should look why no summary is made; one of a large site takes its time.
const oldSummary = time.Hour

// summaryCheck says how far the counts of topics are behind what is stored.
func summaryCheck(ctx context.Context, db *store.Store) check {
	age, err := summaries.Age(ctx, db.ReadOnly())
	switch {
	case err != nil:
		return check{"summary", cli.HealthUnknown, err.Error()}
	case age == 0:
		return check{"summary", cli.HealthOK, "holds all that is stored"}
	case age > 365*24*time.Hour:
		return check{"summary", cli.HealthOK, "not made yet: `serve` with the role ingest makes it, answers count for themselves"}
	case age > oldSummary:
		return check{"summary", cli.HealthWarning, age.String() + " behind; the log of the process with the ingest role says why"}
	}
	return check{"summary", cli.HealthOK, age.String() + " behind"}
}
