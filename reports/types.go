package reports

import (
	"fmt"
	"regexp"
)

var (
	noText    = regexp.MustCompile(`unsupported column type "(.+)"`)
	noParquet = regexp.MustCompile(`Internal type '(\w+)' of column '(.+?)' is not supported for conversion into Parquet`)
)

// typeRefusal says what to do about a type that an answer cannot carry; nothing for any other error.
func typeRefusal(err error) string {
	if m := noText.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Sprintf("a column has the type %s, which has no text: write finalizeAggregation(COLUMN) for an "+
			"aggregate state, toString(COLUMN) or hex(COLUMN) for anything else", m[1])
	}
	if m := noParquet.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Sprintf("parquet has no type for %s, which the column %s holds: write toString(COLUMN), or use csv or "+
			"jsonl", m[1], m[2])
	}
	return ""
}
