-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS client_presence
(
    client_id        UUID,
    online_status    UInt8,
    channel_type     UInt8,
    last_status_time DateTime64(6, 'UTC'),
    server_id        UInt32
)
ENGINE = ReplacingMergeTree(last_status_time)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
