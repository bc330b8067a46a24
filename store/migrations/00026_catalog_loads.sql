-- +goose NO TRANSACTION
-- +goose Up
-- Which generation of the catalog counts: the one loaded last.
CREATE TABLE IF NOT EXISTS catalog_loads
(
    catalog_hash UInt64,
    loaded_time  DateTime64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY loaded_time
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
