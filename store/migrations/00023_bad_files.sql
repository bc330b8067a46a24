-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS bad_files
(
    name           String,
    code           String,
    reason         String,
    line           UInt32,
    column         UInt32,
    bytes          UInt64,
    set_aside_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(set_aside_time)
ORDER BY name
TTL toDateTime(set_aside_time) + INTERVAL 400 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
