-- +goose NO TRANSACTION
-- +goose Up
-- What a gap check found; closing a range replaces its row.
CREATE TABLE IF NOT EXISTS missing_ranges
(
    client_id     UUID,
    first_serial  UInt64,
    last_serial   UInt64,
    detected_time DateTime64(6, 'UTC'),
    checked_time  DateTime64(6, 'UTC'),
    closed        UInt8
)
ENGINE = ReplacingMergeTree(checked_time)
ORDER BY (client_id, first_serial, last_serial)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
