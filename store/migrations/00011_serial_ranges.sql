-- +goose NO TRANSACTION
-- +goose Up
-- Runs of serials that arrived, stored or set aside. They outlive the messages.
CREATE TABLE IF NOT EXISTS serial_ranges
(
    client_id    UUID,
    first_serial UInt64,
    last_serial  UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (client_id, first_serial, last_serial)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
