-- +goose NO TRANSACTION
-- +goose Up
-- When each topic id was first told of on this site, and where an update comes from. Fed with every message and kept when
-- retention drops it; loading a message again changes nothing.
CREATE TABLE IF NOT EXISTS subject_seen
(
    topic_type UInt32,
    topic_id   String,
    first_seen SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    origin     SimpleAggregateFunction(max, String)
)
ENGINE = AggregatingMergeTree
ORDER BY (topic_type, topic_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
