-- +goose NO TRANSACTION
-- +goose Up
-- Where the site's clients stand on each subject, by the rule of docs/compliance.md; one row holds all counts, so that a class
-- that empties cannot linger. not_known is by cause. The greatest version counts.
CREATE TABLE IF NOT EXISTS subject_counts
(
    kind          LowCardinality(String),
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
ORDER BY (kind, topic_id, topic_type)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
