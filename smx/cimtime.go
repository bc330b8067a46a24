package smx

import (
	"encoding/binary"
	"time"
)

// cimLength is the length of every CIM datetime.
const cimLength = 25

// maxOffsetMinutes is the greatest distance of a civil clock from UTC: +14:00.
const maxOffsetMinutes = 840

// AppendTime appends t as a CIM datetime in UTC, cut to the microsecond. The
// form has four digits for the year: what lies outside 0000 … 9999 becomes the
// nearest instant inside.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	switch year := t.Year(); {
	case year < 0:
		t = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case year > 9999:
		t = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	}
	return t.AppendFormat(dst, "20060102150405.000000+000")
}

// dayCache remembers the last date read: the messages of a report mostly share
// one, and the calendar is the dearest part of a datetime.
type dayCache struct {
	key uint64 // the eight bytes yyyymmdd
	us  int64  // its midnight, µs since 1970
}

// parse reads a CIM datetime, yyyymmddHHMMSS.mmmmmm±UUU with UUU the minutes from UTC (at most 840), and nothing else, as
// microseconds since 1970. Wildcards (asterisks), leap seconds and days that the calendar doesn't have are refused.
func (c *dayCache) parse(b []byte) (us int64, ok bool) {
	if len(b) != cimLength || b[14] != '.' {
		return 0, false
	}
	if key := binary.LittleEndian.Uint64(b); key != c.key || key == 0 {
		midnight, ok := parseDay(key)
		if !ok {
			return 0, false
		}
		c.key, c.us = key, midnight
	}
	clock, ok1 := eightDigits(binary.LittleEndian.Uint64(b[6:])) // ddHHMMSS
	// Six digits of microseconds; two zeros stand in for "+U".
	fraction, ok2 := eightDigits(binary.LittleEndian.Uint64(b[15:])&0x0000_FFFF_FFFF_FFFF | 0x3030<<48)
	hour, minute, second := clock/10_000%100, clock/100%100, clock%100
	if !ok1 || !ok2 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	offset, ok := parseOffset(b[21:])
	if !ok {
		return 0, false
	}
	local := int64(hour)*3600 + int64(minute)*60 + int64(second)
	return c.us + (local-offset*60)*1e6 + int64(fraction/100), true
}

// parseOffset reads "+UUU" or "-UUU".
func parseOffset(b []byte) (minutes int64, ok bool) {
	hundreds, tens, ones := b[1]-'0', b[2]-'0', b[3]-'0'
	minutes = int64(hundreds)*100 + int64(tens)*10 + int64(ones)
	if hundreds > 9 || tens > 9 || ones > 9 || minutes > maxOffsetMinutes {
		return 0, false
	}
	switch b[0] {
	case '+':
		return minutes, true
	case '-':
		return -minutes, true
	}
	return 0, false
}

// parseDay reads yyyymmdd, packed little-endian, as its midnight in UTC.
func parseDay(packed uint64) (us int64, ok bool) {
	n, ok := eightDigits(packed)
	year, month, day := n/10_000, n/100%100, n%100
	if !ok || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	// Years before this one, with the leap days among them from year 0 on.
	y := int64(year)
	days := y*365 + (y+3)/4 - (y+99)/100 + (y+399)/400
	for m := uint32(1); m < month; m++ {
		days += int64(daysIn(year, m))
	}
	const epoch = 719_528 // days from 0000-01-01 to 1970-01-01
	return (days + int64(day) - 1 - epoch) * 86_400e6, true
}

func daysIn(year, month uint32) uint32 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// eightDigits reads eight ASCII digits, packed little-endian, by adding
// neighbours in pairs: digits to two digits, to four, to eight.
func eightDigits(x uint64) (n uint32, ok bool) {
	const high, threes = 0xF0F0F0F0F0F0F0F0, 0x3030303030303030
	if x&high != threes || (x+0x0606060606060606)&high != threes {
		return 0, false
	}
	x &= 0x0F0F0F0F0F0F0F0F
	x = (x*10 + x>>8) & 0x00FF00FF00FF00FF
	x = (x*100 + x>>16) & 0x0000FFFF0000FFFF
	return uint32(x*10_000 + x>>32), true
}
