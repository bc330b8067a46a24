-- +goose NO TRANSACTION
-- +goose Up
-- What a state says of compliance, one generation per content; the one of the latest load counts.
CREATE TABLE IF NOT EXISTS state_classes
(
    classes_hash UInt64,
    topic_type   UInt32,
    state_id     UInt32,
    class        LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (classes_hash, topic_type, state_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
