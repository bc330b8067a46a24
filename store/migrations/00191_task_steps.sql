-- +goose NO TRANSACTION
-- +goose Up
-- How far each client is with a task: the mirror of what the notification manager knows. A version begins with the rank
-- of the step, so that the greater rank counts, and of one rank the later. waited is the step that the site had given the
-- client when a late result came: that one counts. 1970 is a time that has not come. not_after is of the task, so that
-- its steps go together.
CREATE TABLE IF NOT EXISTS task_steps
(
    task_guid        UUID,
    client_id        UUID,
    task_id          UInt64,
    step             LowCardinality(String),
    reason           String,
    detail           String,
    exit_code        Int32,
    server_id        UInt32,
    push_id          UInt64,
    push_count       UInt64,
    late             UInt8,
    waited           LowCardinality(String),
    unsolicited      UInt8,
    step_time        DateTime64(6, 'UTC'),
    pushed_time      DateTime64(6, 'UTC'),
    received_time    DateTime64(6, 'UTC'),
    started_time     DateTime64(6, 'UTC'),
    finished_time    DateTime64(6, 'UTC'),
    output_size      UInt64,
    output_truncated UInt8,
    output           String,
    not_after        DateTime64(6, 'UTC'),
    version          UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (task_guid, client_id)
TTL toDateTime(not_after) + INTERVAL 90 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
