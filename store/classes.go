package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Class is what a state says of compliance. A state without one says nothing of it.
type Class struct {
	TopicType, StateID uint32
	Class              string
}

// classNames are the classes that a state may have.
var classNames = []string{"good", "bad", "pending", "restart", "failed", "not_applicable", "said_unknown"}

// ParseClasses reads topic_type,state_id,class. A wrong line is named with its number.
func ParseClasses(text []byte) ([]Class, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	r.FieldsPerRecord = 3
	r.Comment = '#'
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("line 1: want the columns topic_type,state_id,class: %w", err)
	}
	if got := strings.Join(head, ","); got != "topic_type,state_id,class" {
		return nil, fmt.Errorf("line 1: the columns are %.80q, want topic_type,state_id,class", got)
	}
	var classes []Class
	lines := map[[2]uint32]int{}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return classes, nil
		}
		if err != nil {
			return nil, err // names its line
		}
		line, _ := r.FieldPos(0)
		c, err := parseClass(fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		state := [2]uint32{c.TopicType, c.StateID}
		if first := lines[state]; first > 0 {
			return nil, fmt.Errorf("line %d: state %d of topic type %d has a class in line %d already", line, c.StateID,
				c.TopicType, first)
		}
		lines[state] = line
		classes = append(classes, c)
	}
}

func parseClass(fields []string) (c Class, err error) {
	numbers := [2]uint32{}
	for i, name := range []string{"topic_type", "state_id"} {
		n, err := strconv.ParseUint(strings.TrimSpace(fields[i]), 10, 32)
		if err != nil {
			return c, fmt.Errorf("%s %.40q is no number from 0 to 4294967295", name, fields[i])
		}
		numbers[i] = uint32(n)
	}
	c = Class{numbers[0], numbers[1], strings.TrimSpace(fields[2])}
	if !slices.Contains(classNames, c.Class) {
		return c, fmt.Errorf("class %.40q is none: use %s", c.Class, strings.Join(classNames, ", "))
	}
	return c, nil
}

// loadClasses stores the classes of states when they are not the ones that count already. The new generation counts only
// once it is complete. Of two classes of one state the later counts.
func (s *Store) loadClasses(ctx context.Context, classes []Class) error {
	if len(classes) == 0 {
		return nil
	}
	classes = lastOfEach(classes)
	hash := hashOf(classes)
	var current, loads uint64
	row := s.conn.QueryRow(ctx, "SELECT argMax(classes_hash, loaded_time), count() FROM class_loads")
	if err := row.Scan(&current, &loads); err != nil {
		return fmt.Errorf("read which classes of states are loaded: %w", err)
	}
	if loads > 0 && current == hash {
		return nil
	}
	if err := s.insertClasses(ctx, hash, classes); err != nil {
		return fmt.Errorf("insert %d classes of states: %w", len(classes), err)
	}
	err := s.conn.Exec(s.InsertContext(ctx),
		"INSERT INTO class_loads (classes_hash, loaded_time) VALUES ({hash:UInt64}, "+
			"fromUnixTimestamp64Micro({time:Int64}, 'UTC'))",
		TextArg("hash", strconv.FormatUint(hash, 10)), TextArg("time", strconv.FormatInt(s.clock().UnixMicro(), 10)))
	if err != nil {
		return fmt.Errorf("activate the classes of states: %w", err)
	}
	s.log.Info("classes of states loaded", "states", len(classes))
	return nil
}

// lastOfEach keeps one class of each state, in the order of topic types and states.
func lastOfEach(classes []Class) []Class {
	sorted := slices.Clone(classes)
	slices.Reverse(sorted)
	byState := func(a, b Class) int {
		return slices.Compare([]uint32{a.TopicType, a.StateID}, []uint32{b.TopicType, b.StateID})
	}
	slices.SortStableFunc(sorted, byState)
	return slices.CompactFunc(sorted, func(a, b Class) bool { return byState(a, b) == 0 })
}

func hashOf(classes []Class) uint64 {
	var text []byte
	for _, c := range classes {
		text = binary.BigEndian.AppendUint32(text, c.TopicType)
		text = binary.BigEndian.AppendUint32(text, c.StateID)
		text = append(append(text, c.Class...), '\n')
	}
	return xxhash.Sum64(text)
}

func (s *Store) insertClasses(ctx context.Context, hash uint64, classes []Class) error {
	batch, err := s.conn.PrepareBatch(s.InsertContext(ctx),
		"INSERT INTO state_classes (classes_hash, topic_type, state_id, class)")
	if err != nil {
		return err
	}
	defer batch.Close()
	for _, c := range classes {
		if err := batch.Append(hash, c.TopicType, c.StateID, c.Class); err != nil {
			return err
		}
	}
	return batch.Send()
}
