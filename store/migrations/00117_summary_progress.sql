-- +goose NO TRANSACTION
-- +goose Up
-- How far the summaries are: what was loaded before until is in them. The greatest number counts, whatever the clock does.
CREATE TABLE IF NOT EXISTS summary_progress
(
    job    String,
    number UInt64,
    until  DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(number)
ORDER BY job
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
