-- +goose NO TRANSACTION
-- +goose Up
-- Resyncs that a person asked for; a client's request with the greatest after_number counts. It is met by a resync whose number
-- is greater: numbers tell what came first, clocks do not.
CREATE TABLE IF NOT EXISTS resync_requests
(
    client_id      UUID,
    requested_time DateTime64(6, 'UTC'),
    requested_by   String,
    after_number   UInt32
)
ENGINE = ReplacingMergeTree(after_number)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
