package collections

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"statewire/audit"
	"statewire/internal/control"
	"statewire/smx"
	"statewire/store"
)

// auditor records an action before its effect; after an error nothing may be done.
type auditor interface {
	Begin(ctx context.Context, a audit.Action) (finish func(outcome, detail string), err error)
}

// Record lets a keep what is done to clients and collections. It is called once, before the service is used.
func (s *Service) Record(a auditor) { s.auditor = a }

// recorder keeps what is done, where there is somebody who does.
func (s *Service) recorder() control.Recorder {
	if s.auditor == nil {
		return nil
	}
	return audit.Recorder(s.auditor)
}

// States of a retirement.
const (
	retired   = "retired"
	unretired = "unretired"
)

// maxReason bounds what a person says of a change, in bytes.
const maxReason = 1000

// RetireOptions say who changes what counts, and why.
type RetireOptions struct {
	By     string // who retires, or takes it back
	Reason string // of a retirement; may be empty
}

// RetireResult is what became of clients that were named.
type RetireResult struct {
	Clients int      `json:"clients"` // changed
	Same    int      `json:"same"`    // were so before
	Unknown []string `json:"unknown"` // never seen by this site
}

// Retire takes clients out of every population, completeness and alert. Their history stays, and each comes back by
// itself with its next report.
func (s *Service) Retire(ctx context.Context, clients []smx.ClientID, o RetireOptions) (RetireResult, error) {
	if len(o.Reason) > maxReason {
		return RetireResult{}, control.Invalid("the reason has %d bytes; allowed are %d", len(o.Reason), maxReason)
	}
	return s.changeRetirement(ctx, "client.retire", clients, o, func(r *retirement, at time.Time) bool {
		if r.state == retired {
			return false
		}
		*r = retirement{client: r.client, state: retired, at: at, by: o.By, reason: o.Reason, version: r.version}
		return true
	})
}

// Unretire lets retired clients count again, without waiting for a report.
func (s *Service) Unretire(ctx context.Context, clients []smx.ClientID, o RetireOptions) (RetireResult, error) {
	return s.changeRetirement(ctx, "client.unretire", clients, o, func(r *retirement, at time.Time) bool {
		if r.state != retired {
			return false
		}
		r.state, r.ended, r.endedBy = unretired, at, o.By
		return true
	})
}

// retirement is a row of client_retirements; without a state the client was never retired.
type retirement struct {
	client     uuid.UUID
	state      string
	at         time.Time
	by, reason string
	ended      time.Time
	endedBy    string
	version    uint64
}

// clientsPerChange is how many clients are changed at once.
const clientsPerChange = 10_000

// changeRetirement changes clients that the site knows. change says whether there is something to write.
func (s *Service) changeRetirement(ctx context.Context, action string, clients []smx.ClientID, o RetireOptions,
	change func(*retirement, time.Time) bool) (out RetireResult, err error) {
	if len(clients) == 0 || len(clients) > MaxMembers {
		return out, control.Invalid("name from 1 to %d clients, got %d", MaxMembers, len(clients))
	}
	clients = slices.Compact(slices.SortedFunc(slices.Values(clients), smx.ClientID.Compare))
	act := control.Act{Name: action, Object: objectOf(clients), Targets: len(clients), Params: Names(clients),
		Reason: o.Reason}
	err = s.recorded(ctx, act, func(at time.Time) error {
		for some := range slices.Chunk(clients, clientsPerChange) {
			if err := s.changeSome(ctx, some, at, change, &out); err != nil {
				return err
			}
		}
		return s.reload(ctx)
	})
	if err == nil && out.Clients > 0 {
		s.log.Info(action, "by", o.By, "clients", out.Clients, "reason", o.Reason)
	}
	return out, err
}

func (s *Service) changeSome(ctx context.Context, some []smx.ClientID, at time.Time,
	change func(*retirement, time.Time) bool, out *RetireResult) error {
	known, err := s.retirements(ctx, some)
	if err != nil {
		return err
	}
	var rows []retirement
	for _, client := range some {
		r, ok := known[client]
		switch {
		case !ok:
			out.Unknown = append(out.Unknown, client.UUID())
		case change(&r, at):
			rows = append(rows, r)
		default:
			out.Same++
		}
	}
	out.Clients += len(rows)
	return s.putRetirements(ctx, rows)
}

// RecordDelete calls do, which erases a client, once that is recorded.
func (s *Service) RecordDelete(ctx context.Context, client smx.ClientID, reason string, do func() error) error {
	if len(reason) > maxReason {
		return control.Invalid("the reason has %d bytes; allowed are %d", len(reason), maxReason)
	}
	act := control.Act{Name: "client.delete", Object: "client:" + client.String(), Targets: 1, Reason: reason}
	return control.Recorded(ctx, s.recorder(), act, do)
}

// recorded changes clients, alone, once the act is recorded.
func (s *Service) recorded(ctx context.Context, act control.Act, do func(at time.Time) error) error {
	return control.Recorded(ctx, s.recorder(), act, func() error { return s.alone(ctx, do) })
}

// objectOf names one client; of more the number is enough.
func objectOf(clients []smx.ClientID) string {
	if len(clients) == 1 {
		return "client:" + clients[0].String()
	}
	return ""
}

// RetireSilent retires the clients that were silent for as long as the configuration says, and returns how many. since
// is the time before which a client must have been heard of last. Whoever was taken back by a person counts as heard of
// then.
func (s *Service) RetireSilent(ctx context.Context, since time.Time, after time.Duration) (n int, err error) {
	rows, err := s.silent(ctx, since)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	reason := fmt.Sprintf("no report and no poll for %d hours", int(after.Hours()))
	ctx = control.WithWho(ctx, control.Who{Actor: "site"})
	act := control.Act{Name: "client.retire", Targets: len(rows), Reason: reason}
	err = s.recorded(ctx, act, func(at time.Time) error {
		for i := range rows {
			rows[i].state, rows[i].at, rows[i].by, rows[i].reason = retired, at, "site", reason
		}
		for some := range slices.Chunk(rows, clientsPerChange) {
			if err := s.putRetirements(ctx, some); err != nil {
				return err
			}
		}
		return s.reload(ctx)
	})
	if err != nil {
		return 0, err
	}
	s.log.Info("silent clients retired", "clients", len(rows), "silent_for", after)
	return len(rows), nil
}

// RetireAfter is the silence after which clients are retired; 0 = never.
func (s *Service) RetireAfter() time.Duration { return s.cfg.Load().RetireAfter }

// Configure puts a new configuration in force. One that Validate refuses changes nothing.
func (s *Service) Configure(cfg Config) {
	if err := cfg.Validate(); err != nil {
		s.log.Error("settings of clients not taken, those in force stay", "err", err)
		return
	}
	if old := s.cfg.Swap(&cfg); old.RetireAfter != cfg.RetireAfter {
		s.log.Info("settings of clients changed", "retire_after", fmt.Sprintf("%v -> %v", old.RetireAfter, cfg.RetireAfter))
	}
}

var (
	//go:embed sql/retirements.sql
	retirementsSQL string
	//go:embed sql/silent.sql
	silentSQL string
)

// retirements are the rows of those clients that the site knows.
func (s *Service) retirements(ctx context.Context, clients []smx.ClientID) (map[smx.ClientID]retirement, error) {
	known := make(map[smx.ClientID]retirement, len(clients))
	err := s.store.EachRow(ctx, retirementsSQL, []any{store.UUIDsArg("clients", clients)},
		func(scan func(...any) error) error {
			var r retirement
			err := scan(&r.client, &r.state, &r.at, &r.by, &r.reason, &r.ended, &r.endedBy, &r.version)
			known[smx.ClientID(r.client)] = r
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("look for the clients: %w", err)
	}
	return known, nil
}

// silent are the clients that nothing was heard of since a time, and that are not retired.
func (s *Service) silent(ctx context.Context, since time.Time) (rows []retirement, err error) {
	err = s.store.EachRow(ctx, silentSQL, []any{store.TimeArg("since", since)}, func(scan func(...any) error) error {
		var r retirement
		err := scan(&r.client, &r.version)
		rows = append(rows, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for silent clients: %w", err)
	}
	return rows, nil
}

// putRetirements stores rows, each as the next version of its client's.
func (s *Service) putRetirements(ctx context.Context, rows []retirement) error {
	n := len(rows)
	if n == 0 {
		return nil
	}
	clients, states, at, by := make([]uuid.UUID, n), make([]string, n), make([]time.Time, n), make([]string, n)
	reasons, ended, endedBy := make([]string, n), make([]time.Time, n), make([]string, n)
	versions := make([]uint64, n)
	for i, r := range rows {
		if r.ended.IsZero() {
			r.ended = time.Unix(0, 0)
		}
		clients[i], states[i], at[i], by[i] = r.client, r.state, r.at, r.by
		reasons[i], ended[i], endedBy[i], versions[i] = r.reason, r.ended, r.endedBy, r.version+1
	}
	err := s.store.Insert(ctx, `INSERT INTO client_retirements (client_id, state, retired_time, retired_by, reason,
		ended_time, ended_by, version)`, clients, states, at, by, reasons, ended, endedBy, versions)
	if err != nil {
		return fmt.Errorf("store which clients are retired: %w", err)
	}
	return nil
}
