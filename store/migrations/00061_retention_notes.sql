-- +goose NO TRANSACTION
-- +goose Up
-- What store.retention was when it was first seen, and when it was put in force: a
-- shorter one waits for a day. Zero hours keep history for ever.
CREATE TABLE IF NOT EXISTS retention_notes
(
    noted_time DateTime64(6, 'UTC'),
    hours      UInt32,
    in_force   Bool
)
ENGINE = MergeTree
ORDER BY noted_time
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
