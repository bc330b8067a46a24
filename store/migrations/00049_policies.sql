-- +goose NO TRANSACTION
-- +goose Up
-- What the members of a collection are told: zero and empty say nothing about a setting.
CREATE TABLE IF NOT EXISTS policies
(
    collection        String,
    revision          UInt64,
    priority          UInt32,
    send_interval_s   UInt32,
    policy_interval_s UInt32,
    topic_types       Array(UInt32),
    topic_paused      Array(UInt8),
    topic_interval_s  Array(UInt32),
    relay             String,
    notifier          String,
    changed_time      DateTime64(6, 'UTC'),
    deleted           UInt8
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY collection
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
