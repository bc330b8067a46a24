-- +goose NO TRANSACTION
-- +goose Up
-- What each client said of each topic, one short row per numbered message with its first arrival: the state at a moment is
-- that of the greatest place among what had arrived. place is serial << 64 | message_us, then the hash decides, as the rank
-- of current_states_data. Of copies the first stays (earliest is bitNot of the arrival). What is past retention is folded into the
-- last message of each client before it, so that no later moment changes.
CREATE TABLE IF NOT EXISTS topic_history
(
    topic_type    UInt32,
    topic_id      LowCardinality(String),
    client_id     UUID,
    place         UInt128,
    payload_hash  UInt64,
    state_id      UInt32,
    received_time DateTime64(3, 'UTC'),
    earliest      UInt64
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (topic_type, topic_id, client_id, place, payload_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'internal';
