-- +goose NO TRANSACTION
-- +goose Up
-- When the last check ran, by number and not by time, and since when the clock is trusted: before_time is the last check before
-- the epoch, on a clock that was in doubt when the next process started.
CREATE TABLE IF NOT EXISTS resync_clock
(
    id           UInt8,
    number       UInt64,
    checked_time DateTime64(6, 'UTC'),
    epoch_time   Nullable(DateTime64(6, 'UTC')),
    before_time  Nullable(DateTime64(6, 'UTC'))
)
ENGINE = ReplacingMergeTree(number)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
