package smx

import "time"

// ParseTime reads a CIM datetime, yyyymmddHHMMSS.mmmmmm±UUU with UUU the
// minutes from UTC (at most 840), and nothing else.
func ParseTime(s string) (time.Time, error) { return time.Time{}, nil }

// AppendTime appends t as a CIM datetime in UTC, cut to the microsecond.
func AppendTime(dst []byte, t time.Time) []byte { return dst }
