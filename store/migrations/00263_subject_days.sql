-- +goose NO TRANSACTION
-- +goose Up
-- Where the clients stood on each subject at the end of each day of reports.timezone, as subject_counts says it of now; what
-- the clients had said is counted from topic_history. The greatest version counts.
CREATE TABLE IF NOT EXISTS subject_days
(
    kind          LowCardinality(String),
    day           Date,
    topic_id      String,
    topic_type    UInt32,
    counted       LowCardinality(String),
    good          UInt64,
    bad           UInt64,
    pending       UInt64,
    restart       UInt64,
    failed        UInt64,
    na_said       UInt64,
    na_implied    UInt64,
    said_unknown  UInt64,
    not_known     Map(LowCardinality(String), UInt64),
    other         UInt64,
    outside       UInt64,
    outside_spoke UInt64,
    stale         UInt64,
    scope_clients UInt64,
    first_seen    DateTime64(6, 'UTC'),
    newest        DateTime64(3, 'UTC'),
    oldest_bad    Nullable(DateTime64(3, 'UTC')),
    deleted       UInt8,
    version       UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kind, day, topic_id, topic_type)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, index_granularity = 512
COMMENT 'internal';
