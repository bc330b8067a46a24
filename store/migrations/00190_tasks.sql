-- +goose NO TRANSACTION
-- +goose Up
-- Tasks that somebody asked for, as the notification manager knows them: this table is its mirror, and what is missing
-- here it writes again. open = 1 while a client has not come to an end: then the steps are counted. Otherwise the counts
-- stand here, and stay when the steps are no longer kept. Those from queued to unknown add up to targets.
CREATE TABLE IF NOT EXISTS tasks
(
    task_guid      UUID,
    task_id        UInt64,
    task_type      UInt32,
    name           String,
    pack           String,
    pack_version   String,
    class          LowCardinality(String),
    param_names    Array(String),
    param_values   Array(String),
    target         String,
    actor          String,
    approver       String,
    reason         String,
    state          LowCardinality(String),
    state_reason   LowCardinality(String),
    lasting        UInt8,
    rate           UInt32,
    spread_seconds UInt32,
    created_time   DateTime64(6, 'UTC'),
    not_after      DateTime64(6, 'UTC'),
    open           UInt8,
    targets        UInt32,
    queued         UInt32,
    offline        UInt32,
    pushed         UInt32,
    received       UInt32,
    running        UInt32,
    succeeded      UInt32,
    failed         UInt32,
    refused        UInt32,
    expired        UInt32,
    cancelled      UInt32,
    unknown        UInt32,
    late           UInt32,
    unsolicited    UInt32,
    updated_time   DateTime64(6, 'UTC'),
    version        UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY task_guid
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
