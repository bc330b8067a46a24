-- +goose NO TRANSACTION
-- +goose Up
-- The same summed over the subjects of a kind: pairs of a subject and a machine in each class, and machines with at least one
-- such pair. Of kind machine each machine counts once: not_compliant where it lacks anything, else compliant where it has
-- anything. Rows of a day are written last: where they are, the day is done. final is 0 while reports of the day waited.
CREATE TABLE IF NOT EXISTS class_days
(
    kind     LowCardinality(String),
    day      Date,
    class    LowCardinality(String),
    pairs    UInt64,
    machines UInt64,
    final    UInt8,
    version  UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kind, day, class)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480
COMMENT 'internal';
