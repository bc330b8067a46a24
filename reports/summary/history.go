package summary

import (
	"context"
	"fmt"
	"time"
)

// makeHistory fills the history of topics on a store that is older than it, which its migration noted as number 1: month by
// month, the newest first. A crash in between does it again; what is there twice counts once.
func (s *Summarizer) makeHistory(ctx context.Context) error {
	p, err := s.progress(ctx, s.history)
	if err != nil || p.number != 1 {
		return err
	}
	var months []uint32
	err = s.each(ctx, "history_months", nil, func(scan func(...any) error) error {
		var month uint32
		err := scan(&month)
		months = append(months, month)
		return err
	})
	if err != nil {
		return err
	}
	began := time.Now()
	if len(months) > 0 {
		s.log.Info("the history of topics is being prepared from the stored messages", "months", len(months))
	}
	for _, month := range months {
		if err := s.exec(ctx, "history_month", named("month", uint64(month))); err != nil {
			return fmt.Errorf("month %d: %w", month, err)
		}
	}
	// What retention had dropped before is left as the current state of a client.
	if err := s.exec(ctx, "history_states"); err != nil {
		return err
	}
	if p.next.Before(p.until) {
		p.next = p.until.Add(time.Millisecond)
	}
	s.log.Info("the history of topics is prepared", "took", time.Since(began))
	return s.advance(ctx, s.history, p)
}
