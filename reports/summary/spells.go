package summary

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"statewire/reports"
)

// spells keeps, of each subject, how many machines became not compliant on which day and for how long. A spell that goes
// on needs no new row: only what clients say changes them.
type spells struct {
	s    *Summarizer
	job  *job
	zone *time.Location
}

// spellKey is a cell of subject_ttr; days are those since 1970.
type spellKey struct {
	kind, id string
	required time.Time
	days     uint16
	fixed    uint8
	clock    time.Time
}

// spellsRest is how long times to fix rest at least: they are days.
const spellsRest = 5 * time.Minute

// step counts the subjects anew that something was loaded of since the last, or whose date of release changed.
func (sp *spells) step(ctx context.Context) error {
	began := time.Now()
	if began.Before(sp.job.rests) {
		return nil
	}
	p, err := sp.s.progress(ctx, sp.job)
	if err != nil {
		return err
	}
	topics := map[topic]bool{}
	err = sp.s.each(ctx, "spells_changed", nil, func(scan func(...any) error) error {
		var t topic
		err := scan(&t.kind, &t.id)
		topics[t] = true
		return err
	})
	if err != nil {
		return err
	}
	if len(topics) == 0 {
		return nil
	}
	subjects, err := sp.s.counts.subjects(ctx)
	if err != nil {
		return err
	}
	subjects = slices.DeleteFunc(subjects, func(s subject) bool {
		return s.kind != "update" && s.kind != "deployment" && s.kind != "baseline" ||
			!slices.ContainsFunc(s.types, func(kind uint32) bool { return topics[topic{kind, s.id}] })
	})
	for _, sl := range slicesOf(subjects, sp.s.counts.slicePairs) {
		if err := sp.slice(ctx, sl); err != nil {
			return fmt.Errorf("times to fix of %s subjects from %q on: %w", sl.kind, sl.subjects[0].id, err)
		}
	}
	took := time.Since(began)
	sp.job.rests = began.Add(max(rest*took, spellsRest))
	sp.s.metrics.seconds.WithLabelValues(sp.job.name).Observe(took.Seconds())
	return sp.s.advance(ctx, sp.job, p)
}

// slice counts some subjects, and writes the cells that differ.
func (sp *spells) slice(ctx context.Context, sl subjectSlice) error {
	ids := make([]string, len(sl.subjects))
	var held uint64
	for i, s := range sl.subjects {
		ids[i] = "'" + hex.EncodeToString([]byte(s.id)) + "'"
		held += s.held
	}
	parts := []part{everyone}
	if held > sp.s.counts.slicePairs {
		var err error
		if parts, err = sp.s.parts(ctx, sp.s.counts.partClients); err != nil {
			return err
		}
	}
	counted, err := sp.count(ctx, sl, ids, parts)
	if err != nil {
		return err
	}
	stored := map[spellKey]uint64{}
	args := []any{list("ids", ids), clickhouse.Named("kind", sl.kind)}
	err = sp.s.each(ctx, "spells_stored", args, func(scan func(...any) error) error {
		k, n, err := scanSpell(scan)
		stored[k] = n
		return err
	})
	if err != nil {
		return err
	}
	changed := map[spellKey]uint64{}
	for k, n := range counted {
		if stored[k] != n {
			changed[k] = n
		}
	}
	for k, n := range stored {
		if _, has := counted[k]; !has && n > 0 {
			changed[k] = 0
		}
	}
	return sp.write(ctx, changed)
}

// count counts the spells of some subjects, a part of the clients at a time.
func (sp *spells) count(ctx context.Context, sl subjectSlice, ids []string, parts []part) (map[spellKey]uint64, error) {
	text := ""
	for _, name := range []string{"moves", "spells"} {
		part, err := reports.Part(name)
		if err != nil {
			return nil, err
		}
		text += part
	}
	before, err := statement("spells_events")
	if err != nil {
		return nil, err
	}
	after, err := statement("spells")
	if err != nil {
		return nil, err
	}
	leading, all := typesOf(sl.kind, sl.topic)
	slots := make([]uint32, 2, 5)
	copy(slots, leading)
	slots = append(slots, all[len(leading):]...)
	counted := map[spellKey]uint64{}
	for _, p := range parts {
		args := p.named(list("ids", ids), list("types", texts(all)), list("slots", texts(slots)),
			clickhouse.Named("kind", sl.kind), clickhouse.Named("target", sl.target), clickhouse.Named("zone", sp.zone.String()))
		err := sp.s.eachOf(ctx, "spells", "WITH\n"+before+text+after, args, func(scan func(...any) error) error {
			k, n, err := scanSpell(scan)
			counted[k] += n
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return counted, nil
}

func scanSpell(scan func(...any) error) (k spellKey, n uint64, err error) {
	err = scan(&k.kind, &k.id, &k.required, &k.days, &k.fixed, &k.clock, &n)
	k.required, k.clock = k.required.UTC(), k.clock.UTC()
	return k, n, err
}

func (sp *spells) write(ctx context.Context, cells map[spellKey]uint64) error {
	if len(cells) == 0 {
		return nil
	}
	var version uint64
	if err := sp.s.readOne(ctx, "spells_version", nil, &version); err != nil {
		return err
	}
	batch, err := sp.s.deps.Store.Conn().PrepareBatch(sp.s.deps.Store.InsertContext(ctx),
		"INSERT INTO subject_ttr (kind, topic_id, required_day, days_to_fix, fixed, clock_day, machines, version)")
	if err != nil {
		return fmt.Errorf("write times to fix: %w", err)
	}
	defer batch.Close()
	for k, n := range cells {
		if err := batch.Append(k.kind, k.id, k.required, k.days, k.fixed, k.clock, n, version+1); err != nil {
			return fmt.Errorf("write the times to fix of %s %.80q: %w", k.kind, k.id, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write %d cells of times to fix: %w", len(cells), err)
	}
	return nil
}
