-- +goose NO TRANSACTION
-- +goose Up
-- Clients with a report in an inbox that is not loaded yet, as of the summarizer's latest look. The greatest version counts.
CREATE TABLE IF NOT EXISTS clients_waiting
(
    client_id UUID,
    waiting   UInt8,
    version   UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
