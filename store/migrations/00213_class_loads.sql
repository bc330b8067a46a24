-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS class_loads
(
    classes_hash UInt64,
    loaded_time  DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(loaded_time)
ORDER BY classes_hash
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
