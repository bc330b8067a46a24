package summary

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Age is for how long things were stored that the summary of topics may not hold; 0 when it holds all. Where no
// summary was ever made it is decades.
func Age(ctx context.Context, conn driver.Conn) (time.Duration, error) {
	text, err := statement("age")
	if err != nil {
		return 0, err
	}
	var seconds int64
	if err := conn.QueryRow(ctx, text).Scan(&seconds); err != nil {
		return 0, fmt.Errorf("read the age of the summary: %w", err)
	}
	return time.Duration(seconds) * time.Second, nil
}

// DaysBehind says whether the history of topics is made, and how many of the last 90 days are not counted yet.
func DaysBehind(ctx context.Context, conn driver.Conn) (made bool, days int64, err error) {
	text, err := statement("days_behind")
	if err != nil {
		return false, 0, err
	}
	var prepared uint8
	if err := conn.QueryRow(ctx, text).Scan(&prepared, &days); err != nil {
		return false, 0, fmt.Errorf("read how many days are counted: %w", err)
	}
	return prepared == 1, days, nil
}
