-- +goose NO TRANSACTION
-- +goose Up
-- How a client stood when a gap check last looked at its serials, and the newest of
-- its rows in missing_ranges then. A client of whom nothing else is true since need
-- not be looked at again.
CREATE TABLE IF NOT EXISTS gap_looks
(
    client_id    UUID,
    fingerprint  UInt64,
    last_serial  UInt64,
    claimed      UInt64,
    floor        UInt64,
    checked_time DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
