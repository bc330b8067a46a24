-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS notification_servers
(
    server_id      UInt32,
    server_name    String,
    online_clients Nullable(UInt64),
    updated_time   DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_time)
ORDER BY server_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
