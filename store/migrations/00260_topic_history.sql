-- +goose NO TRANSACTION
-- +goose Up
-- What each client said of each topic, one short row per numbered message with its first arrival: the state at a moment is
-- that of the greatest place among what had arrived. place holds, 64 bits each, serial, message time and payload hash: the
-- order of the rank of current_states_data. Of copies the first stays (earliest is bitNot of the arrival). What is past
-- retention is folded into the last message of each client before it, so that no later moment changes.
CREATE TABLE IF NOT EXISTS topic_history
(
    topic_type    UInt32,
    topic_id      LowCardinality(String),
    client_id     UUID,
    place         UInt256,
    state_id      UInt32,
    received_time DateTime64(3, 'UTC'),
    earliest      UInt64
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (topic_type, topic_id, client_id, place)
TTL toDateTime(received_time) + INTERVAL 400 DAY GROUP BY topic_type, topic_id, client_id SET
    place = max(place), state_id = argMax(state_id, place), received_time = argMax(received_time, place),
    earliest = argMax(earliest, place)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    merge_with_ttl_timeout = 86400
COMMENT 'internal';
