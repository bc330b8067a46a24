-- +goose NO TRANSACTION
-- +goose Up
-- Where each machine stands, over all its subjects (updates, deployments, baselines; failed scans count as failed): what the
-- machines' list and its filters need. required is all that is not compliant. groups has the same of each group of subjects
-- that asks something of the machine: compliant where it needs any of them and has all, not_applicable where it needs none.
-- The greatest version counts.
CREATE TABLE IF NOT EXISTS machine_now
(
    client_id       UUID,
    required        UInt32,
    pending         UInt32,
    failed          UInt32,
    restart         UInt32,
    said_unknown    UInt32,
    not_known       UInt32,
    good            UInt32,
    subjects        UInt32,
    oldest_required Nullable(DateTime('UTC')),
    restart_since   Nullable(DateTime('UTC')),
    restart_for     Array(String),
    failed_for      Array(String),
    last_scan       Nullable(DateTime('UTC')),
    groups          Nested
    (
        name            LowCardinality(String),
        class           LowCardinality(String),
        required        UInt32,
        failed          UInt32,
        restart         UInt32,
        not_known       UInt32,
        oldest_required UInt32
    ),
    version         UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
