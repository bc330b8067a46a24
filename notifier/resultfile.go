package notifier

import (
	"bytes"
	"cmp"
	"slices"

	"statewire/notifier/wire"
)

// rowBytes bounds what a row takes in a file: of texts each sign may take six, and an output that XML does not carry is
// written in base64.
func rowBytes(r wire.Result) int {
	return 600 + 6*(min(len(r.Code), wire.MaxWhyBytes)+min(len(r.Detail), wire.MaxWhyBytes)) + 4*len(r.Output.Text)/3
}

// fitting is how many of the rows fit into one file.
func fitting(rows []wire.Result) (n int) {
	bytes := 1000
	for n < len(rows) && n < wire.MaxResults {
		// the head of its task is the row's, too
		if bytes += rowBytes(rows[n]) + 200; bytes > wire.MaxReportBytes {
			break
		}
		n++
	}
	return max(1, n)
}

// together puts the rows of a task next to each other: a file names a task once.
func together(rows []wire.Result) []wire.Result {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b wire.Result) int {
		return cmp.Or(bytes.Compare(a.Task[:], b.Task[:]), cmp.Compare(a.TaskID, b.TaskID))
	})
	return rows
}
