package reports_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sys/unix"

	"statewire/reports"
	"statewire/reports/reportstest"
)

const forbidden = "STATEWIRE_TEST_NO_NEW_CODE"

// eager is a connection whose engine, if it compiles at all, does so from an expression's first use on: not from its
// third.
type eager struct{ driver.Conn }

func (e eager) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	return e.Conn.Query(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"min_count_to_compile_expression": 0, "min_count_to_compile_aggregate_expression": 0,
		"min_count_to_compile_sort_description": 0,
	})), query, args...)
}

// TestEveryReportRunsWhereNoCodeMayBeMade runs them all in a process that may not make
// memory executable, as MemoryDenyWriteExecute= of systemd has it.
func TestEveryReportRunsWhereNoCodeMayBeMade(t *testing.T) {
	if os.Getenv(forbidden) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), forbidden+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := unix.Prctl(unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0); err != nil {
		t.Skipf("this kernel has no PR_SET_MDWE: %v", err)
	}
	s := reportstest.NewSeed(t).Subject()
	r := s.Runner(func(_ *reports.Config, d *reports.Deps) { d.Conn = eager{s.Store.Conn()} })
	for _, rep := range r.Catalog().List() {
		rows, err := r.Run(t.Context(), rep.Name, reportstest.RequiredParams(rep), reports.Page{})
		if err != nil {
			t.Errorf("%s: %v", rep.Name, err)
			continue
		}
		reportstest.ReadRows(t, rows)
	}
}
