package reports

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"statewire/internal/parse"
	"statewire/store"
)

// Page says which part of a report to return.
type Page struct {
	Limit  int    // rows; 0 means all of them, refused above Config.MaxRows
	Cursor string // NextPage of the page before; empty for the first
	Sort   string // COLUMN or COLUMN:desc, in place of the report's own order; then there is no cursor
}

// ErrTooManyRows ends an answer that would have to be cut short; nothing is ever cut silently.
var ErrTooManyRows = errors.New("more rows than reports.max_rows allows")

// errBusy is returned when all places for queries stayed taken.
var errBusy = errors.New("other readers' queries take all places (reports.max_queries): try again later")

// NewRunner makes a runner; catalog and deps.Conn are required.
func NewRunner(cfg Config, catalog *Catalog, deps Deps) (*Runner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if catalog == nil || deps.Conn == nil {
		return nil, errors.New("reports: a catalog and a read-only connection are required")
	}
	r := &Runner{
		cfg: cfg, catalog: catalog, conn: deps.Conn, backlog: deps.Backlog,
		now: deps.Now, log: cmp.Or(deps.Log, slog.New(slog.DiscardHandler)), metrics: newMetrics(deps.Registerer),
	}
	if r.now == nil {
		r.now = time.Now
	}
	r.metrics.problems.Set(float64(len(catalog.Problems())))
	r.slots = make(chan struct{}, cfg.MaxQueries)
	return r, nil
}

// Catalog is the set of reports this runner knows.
func (r *Runner) Catalog() *Catalog { return r.catalog }

// Run starts a named report with parameters given as text, by name. Missing parameters take their defaults.
func (r *Runner) Run(ctx context.Context, name string, params map[string]string, page Page) (*Rows, error) {
	report, err := r.catalog.Get(name)
	if err != nil {
		r.metrics.queries.WithLabelValues("unknown", "refused").Inc()
		return nil, err
	}
	q, err := r.prepare(ctx, report, params, page)
	if err != nil {
		r.metrics.queries.WithLabelValues(report.label(), "refused").Inc()
		return nil, err
	}
	return r.start(ctx, report.label(), q)
}

// SQL starts one ad-hoc read-only statement.
func (r *Runner) SQL(ctx context.Context, statement string) (*Rows, error) {
	statement, err := readOnlyStatement(statement)
	if err != nil {
		r.metrics.queries.WithLabelValues("sql", "refused").Inc()
		return nil, err
	}
	return r.start(ctx, "sql", prepared{sql: statement, max: r.cfg.MaxRows})
}

// label keeps user-chosen names out of the metrics.
func (r *Report) label() string {
	if r.Source == "built-in" {
		return r.Name
	}
	return "user"
}

// chunkRows is how many rows of a self-paging report are asked for at a time when all are wanted: its query
// holds the page's clients in memory.
const chunkRows = 50_000

// pickedRows is how many of a report of two statements: they travel as text.
const pickedRows = 5_000

// prepared is a statement ready to run, with its values beside it.
type prepared struct {
	report  *Report
	sql     string
	picks   string // the statement before it, whose rows it reads
	params  map[string]string
	meaning meaning
	limit   int // rows of this page; 0 when the answer isn't paged
	max     int // rows after which an unpaged answer fails
	sorted  bool
	own     bool // a statement of the program about one thing
	chunk   int  // rows the engine is asked for at a time; 0 asks for all at once
}

func (r *Runner) prepare(ctx context.Context, report *Report, params map[string]string, page Page) (prepared, error) {
	values, err := report.values(params)
	if err != nil {
		return prepared{}, err
	}
	if page.Limit < 0 || page.Limit > r.cfg.MaxRows {
		return prepared{}, &ParamError{report.Name, "limit", fmt.Sprintf("has to be from 1 to %d", r.cfg.MaxRows)}
	}
	means, err := r.resolve(ctx, report, values)
	if err != nil {
		return prepared{}, err
	}
	after, err := report.decodeCursor(page.Cursor, values)
	if err != nil {
		return prepared{}, err
	}
	q := prepared{report: report, params: values, meaning: means, limit: page.Limit, max: r.cfg.MaxRows}
	maps.Copy(q.params, means.hidden)
	rows := cmp.Or(page.Limit, r.cfg.MaxRows) + 1 // one more tells whether there is more
	if report.selfPaging && page.Limit == 0 {
		q.chunk = chunkRows
		if len(report.picked) > 0 {
			q.chunk = pickedRows
		}
		rows = q.chunk
	}
	picks, _ := report.statements()
	q.picks = choose(picks, values)
	if picks != "" {
		q.params[isDetails] = "1"
	}
	q.sql = choose(report.pageQuery(after != nil), values)
	if len(report.Order) > 0 || report.selfPaging {
		q.params["page_rows"] = fmt.Sprint(rows)
	}
	report.addCursor(q.params, after)
	if page.Sort != "" {
		err = r.sorted(ctx, &q, page)
	}
	return q, err
}

// values checks what was given, fills in defaults and refuses names the report doesn't have.
func (r *Report) values(given map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(r.Params)+4)
	if err := r.CheckNames(given); err != nil {
		return nil, err
	}
	for _, p := range r.Params {
		text, ok := given[p.Name]
		if !ok && p.Required {
			return nil, &ParamError{r.Name, p.Name, "is required: " + p.Description}
		}
		if !ok {
			text = p.Default
		}
		value, err := p.value(text)
		if err == nil && r.namesClient && p.Name == "client" {
			value, err = clientParam(p, value)
		}
		if err != nil {
			return nil, &ParamError{r.Name, p.Name, err.Error()}
		}
		out[p.Name] = value
	}
	return out, nil
}

// clientParam writes an id or a computer name as the part wanted reads it. Only a parameter that has a default may be
// empty.
func clientParam(p Param, text string) (string, error) {
	if text == "" && !p.Required {
		return "", nil
	}
	id, name, err := parse.Client(text)
	if err == nil && name == "" {
		name = id.String()
	}
	return name, err
}

// CheckNames refuses a parameter that the report does not have, and says which ones it has.
func (r *Report) CheckNames(given map[string]string) error {
	names := make([]string, len(r.Params))
	for i, p := range r.Params {
		names[i] = p.Name
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if slices.Contains(names, name) {
			continue
		}
		why := "is unknown: this report takes none"
		if len(names) > 0 {
			why = "is unknown: this report takes " + strings.Join(names, ", ")
		}
		if near := parse.Nearest(name, names); near != "" {
			why += "; did you mean " + near + "?"
		}
		return &ParamError{r.Name, fmt.Sprintf("%.40q", name), why}
	}
	return nil
}

// pageQuery is the report's query, or that query inside a SELECT that continues, orders and bounds it.
// Only names from the report's own file become part of the text.
func (r *Report) pageQuery(continued bool) string {
	if r.selfPaging || len(r.Order) == 0 {
		_, answers := r.statements()
		return answers
	}
	where := ""
	if continued {
		where = "\nWHERE " + r.afterCursor()
	}
	return "SELECT *\nFROM (\n" + r.Query + "\n)" + where + "\nORDER BY " + r.orderBy() + "\nLIMIT {page_rows:UInt64}"
}

func (r *Report) orderBy() string {
	parts := make([]string, len(r.Order))
	for i, o := range r.Order {
		parts[i] = "`" + o.Column + "`"
		if o.Desc {
			parts[i] += " DESC"
		}
	}
	return strings.Join(parts, ", ")
}

// afterCursor compares column by column: columns may run in different directions.
func (r *Report) afterCursor() string {
	var alternatives []string
	equal := ""
	for _, o := range r.Order {
		sign := ">"
		if o.Desc {
			sign = "<"
		}
		value := "{after_" + o.Column + ":" + o.Type + "}"
		alternatives = append(alternatives, "("+equal+"`"+o.Column+"` "+sign+" "+value+")")
		equal += "`" + o.Column + "` = " + value + " AND "
	}
	return strings.Join(alternatives, " OR ")
}

// start sends the statement and waits for its first row, so that a refusal is known before any output begins.
func (r *Runner) start(ctx context.Context, label string, q prepared) (*Rows, error) {
	began := r.now()
	rows := &Rows{Report: q.report, Params: q.shown(), Scope: q.meaning.scope, Subject: q.meaning.subject,
		Moment: q.meaning.moment, query: q}
	rows.explain = func(err error) error { return q.advise(queryError(label, err, r.cfg.Timeout)) }
	rows.open = func() (driver.Rows, context.CancelFunc, error) {
		ctx, release, err := r.slot(ctx)
		if err != nil {
			return nil, nil, rows.explain(err)
		}
		if err := r.pick(ctx, &q); err != nil {
			release()
			return nil, nil, rows.explain(err)
		}
		answer, err := r.ask(ctx, q, &rows.all)
		if err != nil {
			release()
			return nil, nil, rows.explain(err)
		}
		return answer, release, nil
	}
	if err := rows.fetchFirst(); err != nil {
		_ = rows.Close() // the error in hand says more
		r.metrics.queries.WithLabelValues(label, "failed").Inc()
		return nil, rows.explain(err)
	}
	r.metrics.seconds.WithLabelValues(label).Observe(r.now().Sub(began).Seconds())
	r.metrics.queries.WithLabelValues(label, "ok").Inc()
	return rows, nil
}

// advise says what costs less where a moment was too much to count.
func (q prepared) advise(err error) error {
	var refused *QueryError
	moment := q.meaning.moment
	if moment == nil || !errors.As(err, &refused) || refused.Code != "memory" && refused.Code != "timeout" {
		return err
	}
	less := ""
	switch mayScope := slices.ContainsFunc(q.report.Params, func(p Param) bool { return p.Name == "collection" }); {
	case q.report.keptDays && moment.countedFrom(q.params["collection"]) == "then":
		less = "ask for the end of a day, as in as_of=" + moment.At.AddDate(0, 0, -1).Format(time.DateOnly) + ": its counts are kept"
		if q.meaning.subject == nil {
			less = "ask for one subject, or " + strings.TrimPrefix(less, "ask ")
		}
	case mayScope && q.params["collection"] == "":
		less = "ask for the members of a collection: every machine of the site is counted for a moment"
	default:
		return err
	}
	refused.Text = strings.Replace(refused.Text, "ask for less", less, 1)
	return refused
}

// ask sends the statement, and sets columns to what its answer has. Those of ad-hoc SQL come with every answer.
func (r *Runner) ask(ctx context.Context, q prepared, columns *[]typed) (driver.Rows, error) {
	limited := r.limits(ctx, q)
	if q.report != nil {
		limited = store.Scanned(limited)
	}
	answer, err := r.conn.Query(limited, q.sql, named(q.params)...)
	if err != nil {
		return nil, err
	}
	if *columns, err = r.columnsOfAnswer(ctx, q, answer); err != nil {
		return nil, errors.Join(err, answer.Close())
	}
	return answer, nil
}

// Ping asks the store the smallest question there is.
func (r *Runner) Ping(ctx context.Context) error {
	rows, err := r.conn.Query(ctx, "SELECT 1")
	if err != nil {
		return fmt.Errorf("ask the store: %w", err)
	}
	return rows.Close()
}

// slot waits for one of the MaxQueries places and starts the query's time. release gives the place back.
func (r *Runner) slot(ctx context.Context) (timed context.Context, release context.CancelFunc, err error) {
	timed, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	select {
	case r.slots <- struct{}{}:
		return timed, sync.OnceFunc(func() { cancel(); <-r.slots }), nil
	case <-timed.Done():
		cancel()
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return nil, nil, errBusy
	}
}

// shown are the parameters a reader gave or was given, without those of the page and what the runner gives.
func (q prepared) shown() map[string]string {
	out := map[string]string{}
	if q.report == nil {
		return out
	}
	for _, p := range q.report.Params {
		out[p.Name] = q.params[p.Name]
	}
	return out
}

// limits asks the engine to stop by itself what the context would stop from outside.
func (r *Runner) limits(ctx context.Context, q prepared) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(r.settings(q)))
}

func (r *Runner) settings(q prepared) clickhouse.Settings {
	settings := clickhouse.Settings{
		"max_execution_time": int(r.cfg.Timeout.Seconds()),
		"max_memory_usage":   r.cfg.MaxMemory,
		// The view clients over 300,000 of them: 166 ms and under 32 MiB instead of 1.2 s and over 128 MiB.
		"optimize_aggregation_in_order": 1,
		// Ten unmerged parts of a million clients, each a block: over 256 MiB at the engine's default size, a tenth at this
		// one.
		"max_block_size": 8192,
	}
	if q.ofFew() {
		// A join by many threads is a table for each, made and thrown away: a third of the time of an answer about one client.
		settings["join_algorithm"] = "hash"
	}
	return settings
}

// ofFew says that the statement is about one client, or one row of kept counts, or a scope in which many threads gain
// nothing.
func (q prepared) ofFew() bool {
	subject, scope := q.meaning.subject, q.meaning.scope
	return q.own || q.params["client"] != "" || subject != nil && subject.kept || scope != nil && scope.Clients < keptFrom
}

// named hands values to the driver as the engine's own query parameters.
func named(params map[string]string) []any {
	args := make([]any, 0, len(params))
	for name, value := range params {
		args = append(args, clickhouse.Named(name, value))
	}
	return args
}
