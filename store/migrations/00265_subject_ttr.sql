-- +goose NO TRANSACTION
-- +goose Up
-- How long machines took: of each subject, how many became not compliant on a day and were fixed so many days later
-- (65535: still open); fixed is 0 where they turned out not to need it, or were no longer known. clock_day is the day that
-- the clock starts with since=released, 1970 without a date. Cells that empty get 0 machines.
CREATE TABLE IF NOT EXISTS subject_ttr
(
    kind         LowCardinality(String),
    topic_id     String,
    required_day Date,
    days_to_fix  UInt16,
    fixed        UInt8,
    clock_day    Date,
    machines     UInt64,
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kind, topic_id, required_day, days_to_fix, fixed, clock_day)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'internal';
