-- +goose NO TRANSACTION
-- +goose Up
-- The catalog of topics and states, one generation per content; a topic that is
-- listed without states has one row with has_state = 0.
CREATE TABLE IF NOT EXISTS state_catalog
(
    catalog_hash UInt64,
    topic_type   UInt32,
    topic_name   String,
    has_state    UInt8,
    state_id     UInt32,
    state_name   String
)
ENGINE = ReplacingMergeTree
ORDER BY (catalog_hash, topic_type, has_state, state_id, topic_name, state_name)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
