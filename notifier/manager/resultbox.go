package manager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"statewire/internal/control"
	"statewire/notifier/wire"
)

// holdsResults says whether a file is a result file by its name.
func holdsResults(name string) bool {
	return strings.EqualFold(filepath.Ext(name), wire.ResultsExtension)
}

// kindOf is what people call a file of the box.
func kindOf(name string) string {
	if holdsResults(name) {
		return "result file"
	}
	return "presence file"
}

func (b *box) countFile(name, result string) {
	if holdsResults(name) {
		b.m.metrics.resultFiles.WithLabelValues(result).Inc()
		return
	}
	b.m.metrics.files.WithLabelValues(result).Inc()
}

// meetResults deals with a result file. Its place among the others of its server is nothing: a step only goes on, and
// what is known already changes nothing. So it is loaded at once, and a copy of it, too.
func (b *box) meetResults(name string, now time.Time) error {
	switch {
	case b.gone[name]:
		return b.remove(name)
	case b.broken[name] != nil:
		return b.setAside(name, b.broken[name], now)
	}
	var results wire.Results
	var bad []wire.BadRow
	broken, err := b.open(name, now, func(data []byte) (server string, id uint32, err error) {
		results, bad, err = wire.DecodeResults(data)
		return results.Server, results.ServerID, err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errBeingWritten):
		return nil
	case err != nil:
		return fmt.Errorf("read result file %s: %w", name, err)
	}
	if broken == nil {
		if broken, err = b.loadResults(results); err != nil {
			return fmt.Errorf("load result file %s: %w", name, err)
		}
	}
	if broken != nil {
		b.broken[name] = broken
		return b.setAside(name, broken, now)
	}
	b.countFile(name, "loaded")
	b.gone[name] = true
	return errors.Join(b.keepBadResults(name, results, bad, now), b.remove(name))
}

// loadResults makes results durable; broken says why that can never be.
func (b *box) loadResults(results wire.Results) (broken *aside, err error) {
	err = b.m.Results(context.Background(), results) // a file that is begun is loaded whole
	if invalid := (*control.InvalidError)(nil); errors.As(err, &invalid) {
		return &aside{Reason: err.Error(), Server: results.ServerID}, nil
	}
	return nil, err
}

// keepBadResults keeps the clients of a result file that cannot be read, and tells of them.
func (b *box) keepBadResults(name string, results wire.Results, bad []wire.BadRow, now time.Time) error {
	if len(bad) == 0 {
		return nil
	}
	b.m.metrics.results.WithLabelValues(resultBad).Add(float64(len(bad)))
	text := fmt.Sprintf("Clients of a result file of the notification server %s cannot be read and are left out; they "+
		"lie in %s, each with the reason.", results.Server, b.bad)
	return errors.Join(b.keepBadRows(name, results.ServerID, bad, now), b.m.tell(wire.ComponentMessage{
		Component: wire.ManagerComponent, ID: wire.BadFile, Time: now, Text: text}))
}
