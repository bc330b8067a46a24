package policies

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"statewire/smx/policy"
	"statewire/store"
)

//go:embed sql/policies.sql
var policiesSQL string

// List lists the policies of all collections, by priority.
func (s *Service) List(ctx context.Context) (list []Policy, err error) {
	err = s.store.EachRow(ctx, policiesSQL, nil, func(scan func(...any) error) error {
		var p Policy
		var send, poll uint32
		var types, intervals []uint32
		var paused []uint8
		err := scan(&p.Collection, &p.revision, &p.Priority, &send, &poll, &types, &paused, &intervals, &p.Relay,
			&p.Notifier, &p.Changed)
		if err != nil {
			return err
		}
		p.SendInterval, p.PolicyInterval = seconds(send), seconds(poll)
		for i, kind := range types {
			p.Topics = append(p.Topics, policy.Topic{Type: kind, Paused: paused[i] == 1,
				Interval: seconds(intervals[i])})
		}
		list = append(list, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the policies: %w", err)
	}
	return list, nil
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

func (s *Service) put(ctx context.Context, p Policy, deleted bool) error {
	types, paused, intervals := []uint32{}, []uint8{}, []uint32{}
	for _, t := range p.Topics {
		types, paused = append(types, t.Type), append(paused, store.Flag(t.Paused))
		intervals = append(intervals, uint32(t.Interval/time.Second))
	}
	err := s.store.Insert(ctx, `INSERT INTO policies (collection, revision, priority, send_interval_s,
		policy_interval_s, topic_types, topic_paused, topic_interval_s, relay, notifier, changed_time, deleted)`,
		[]string{p.Collection}, []uint64{p.revision}, []uint32{p.Priority},
		[]uint32{uint32(p.SendInterval / time.Second)},
		[]uint32{uint32(p.PolicyInterval / time.Second)}, [][]uint32{types}, [][]uint8{paused}, [][]uint32{intervals},
		[]string{p.Relay}, []string{p.Notifier}, []time.Time{p.Changed}, []uint8{store.Flag(deleted)})
	if err != nil {
		return fmt.Errorf("store the policy of collection %s: %w", p.Collection, err)
	}
	return nil
}
