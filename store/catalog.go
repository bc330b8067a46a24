package store

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	"statewire/internal/topics"
)

// catalogForm is what a stored row has besides the file's columns; another form is another generation.
const catalogForm = "topic"

// catalogRow is a state of a topic, or a topic without states.
type catalogRow struct {
	topicType uint32
	topicName string
	hasState  bool
	stateID   uint32
	stateName string
}

// loadCatalog stores the names of topics and states when they are not the ones that
// count already. The new generation counts only once it is complete.
func (s *Store) loadCatalog(ctx context.Context, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	hash := xxhash.Sum64(append(bytes.Clone(text), catalogForm...))
	var current, loads uint64
	row := s.conn.QueryRow(ctx, "SELECT argMax(catalog_hash, loaded_time), count() FROM catalog_loads")
	if err := row.Scan(&current, &loads); err != nil {
		return fmt.Errorf("read which catalog is loaded: %w", err)
	}
	if loads > 0 && current == hash {
		return nil
	}
	rows, err := parseCatalog(text)
	if err != nil {
		return fmt.Errorf("state catalog: %w", err)
	}
	if err := s.insertCatalog(ctx, hash, rows); err != nil {
		return err
	}
	err = s.conn.Exec(s.InsertContext(ctx),
		"INSERT INTO catalog_loads (catalog_hash, loaded_time) VALUES ({hash:UInt64}, "+
			"fromUnixTimestamp64Micro({time:Int64}, 'UTC'))",
		TextArg("hash", strconv.FormatUint(hash, 10)), TextArg("time", strconv.FormatInt(s.clock().UnixMicro(), 10)))
	if err != nil {
		return fmt.Errorf("activate the state catalog: %w", err)
	}
	s.log.Info("state catalog loaded", "rows", len(rows))
	return nil
}

func (s *Store) insertCatalog(ctx context.Context, hash uint64, rows []catalogRow) error {
	batch, err := s.conn.PrepareBatch(s.InsertContext(ctx),
		"INSERT INTO state_catalog (catalog_hash, topic_type, topic_name, has_state, state_id, state_name, topic)")
	if err != nil {
		return fmt.Errorf("insert %d catalog rows: %w", len(rows), err)
	}
	defer batch.Close()
	for _, r := range rows {
		if err := batch.Append(hash, r.topicType, r.topicName, r.hasState, r.stateID, r.stateName,
			topics.Name(r.topicName)); err != nil {
			return fmt.Errorf("insert %d catalog rows: %w", len(rows), err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("insert %d catalog rows: %w", len(rows), err)
	}
	return nil
}

// parseCatalog reads topic_type,topic_name,state_id,state_name; a row without a state
// id names its topic only.
func parseCatalog(text []byte) ([]catalogRow, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = 4
	head, err := r.Read()
	if err != nil {
		return nil, err
	}
	if got := strings.Join(head, ","); got != "topic_type,topic_name,state_id,state_name" {
		return nil, fmt.Errorf("line 1: the columns are %q, want topic_type,topic_name,state_id,state_name", got)
	}
	var rows []catalogRow
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		row, err := parseCatalogRow(fields)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		rows = append(rows, row)
	}
}

func parseCatalogRow(fields []string) (catalogRow, error) {
	topic, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil {
		return catalogRow{}, fmt.Errorf("topic_type: %w", err)
	}
	row := catalogRow{topicType: uint32(topic), topicName: fields[1], stateName: fields[3]}
	if fields[2] == "" {
		return row, nil
	}
	state, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		return catalogRow{}, fmt.Errorf("state_id: %w", err)
	}
	row.stateID, row.hasState = uint32(state), true
	return row, nil
}
