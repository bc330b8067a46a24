-- +goose NO TRANSACTION
-- +goose Up
-- Heartbeats and events of the site's own parts.
CREATE TABLE IF NOT EXISTS component_status
(
    time          DateTime64(3, 'UTC'),
    component     LowCardinality(String),
    host          LowCardinality(String),
    pid           UInt32,
    event         LowCardinality(String),
    text          String,
    processing_ms UInt64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (component, time)
TTL toDateTime(time) + INTERVAL 400 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
