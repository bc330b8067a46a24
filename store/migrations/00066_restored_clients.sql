-- +goose NO TRANSACTION
-- +goose Up
-- The clients as an older copy of the store knew them when it was put back: what is
-- missing above that serial is what came since the copy was made.
CREATE TABLE IF NOT EXISTS restored_clients
(
    client_id        UUID,
    last_serial      UInt64,
    last_report_time DateTime64(6, 'UTC'),
    restored_time    DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(restored_time)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
