-- +goose NO TRANSACTION
-- +goose Up
-- How what was set aside came to its end: replayed, or dropped by a person or a limit. A row ends all that was set aside under a
-- name up to a time; told again, it is the same row. received_time is when the report arrived: the row lives as long as the
-- report's own.
CREATE TABLE IF NOT EXISTS set_aside_ends
(
    name          String,
    until         DateTime64(6, 'UTC'),
    received_time DateTime64(6, 'UTC'),
    how           LowCardinality(String),
    client_id     UUID,
    code          String,
    records       UInt32,
    replayed      UInt32,
    dropped       UInt32,
    bytes         UInt64,
    replayed_as   String,
    by            String,
    reason        String,
    time          DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(time)
ORDER BY (name, until)
TTL toDateTime(received_time) + INTERVAL 400 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
