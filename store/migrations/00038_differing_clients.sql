-- +goose NO TRANSACTION
-- +goose Up
-- Clients whose states differ from the site's although no serial is missing.
-- differs = 0 replaces a row that no longer holds.
CREATE TABLE IF NOT EXISTS differing_clients
(
    client_id     UUID,
    differs       UInt8,
    detected_time DateTime64(6, 'UTC'),
    checked_time  DateTime64(6, 'UTC'),
    client_states UInt64,
    client_digest UInt64,
    site_states   UInt64,
    site_digest   UInt64
)
ENGINE = ReplacingMergeTree(checked_time)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
