-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS resyncs
(
    client_id   UUID,
    issued_time DateTime64(6, 'UTC'),
    reason      String,
    issued_by   String,
    next_serial UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (client_id, issued_time)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
