package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"statewire/inbox"
)

// dropping is some files of corrupt on their way out: first the store lists them as dropped, then they are deleted.
// Doing either again changes nothing.
type dropping struct {
	how, by, why string
	now          time.Time
	files        []inbox.BadFile
	known        []ending // what the store knows of them; set by store
}

// ErrStillWaits says that a set-aside file would come back: what it came from, or a replay of it, waits in the inbox.
var ErrStillWaits = errors.New("still waits in the inbox")

func (d *dropping) add(dir *inbox.Dir, name string) error {
	b, err := dir.Bad(name)
	if err != nil {
		return err
	}
	if file, waits := dir.Waits(b); waits {
		return fmt.Errorf("%s cannot be dropped yet: %s %w; try again when it is loaded", name, file, ErrStillWaits)
	}
	d.files = append(d.files, b)
	return nil
}

func (d *dropping) store(ctx context.Context, dir *inbox.Dir, to inserter) error {
	if err := dir.SyncLanes(); err != nil {
		return err
	}
	known, err := endings(ctx, to.Conn(), d.files, "")
	if err != nil {
		return err
	}
	var gone ends
	for _, e := range known {
		gone.dropped(e, d.how, d.by, d.why)
	}
	d.known = known
	t := gone.table(d.now)
	if err := to.InsertPieces(ctx, t.sql, t.blocks); err != nil {
		return fmt.Errorf("store in %s: %w", t.name, err)
	}
	return nil
}

// remove deletes the files and says how many of them went.
func (d *dropping) remove(dir *inbox.Dir) (gone Dropped, err error) {
	for _, f := range d.known {
		if e := dir.RemoveBad(f.BadFile); e != nil {
			err = errors.Join(err, e)
			continue
		}
		gone.Files, gone.Records, gone.Bytes = gone.Files+1, gone.Records+f.records, gone.Bytes+f.Disk
	}
	return gone, err
}

// inserter is what a drop needs of the store.
type inserter interface {
	Conn() driver.Conn
	InsertPieces(ctx context.Context, statement string, pieces [][]any) error
}

// Dropped is what Drop has removed.
type Dropped struct {
	Files   int
	Records int
	Bytes   int64
}

// Drop removes files from corrupt for good and lists them in the store: who wanted it, when and why. Nothing goes when
// one of them is not there or still waits in the inbox (ErrStillWaits).
func Drop(ctx context.Context, dir *inbox.Dir, to inserter, names []string, by, why string) (Dropped, error) {
	d := dropping{how: howDropped, by: by, why: why, now: time.Now()}
	for _, name := range names {
		if err := d.add(dir, name); err != nil {
			return Dropped{}, err
		}
	}
	if len(d.files) == 0 {
		return Dropped{}, nil
	}
	if err := d.store(ctx, dir, to); err != nil {
		return Dropped{}, err
	}
	return d.remove(dir)
}
