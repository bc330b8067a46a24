-- +goose NO TRANSACTION
-- +goose Up
-- Topic ids of which states of an erased client went, with no message that tells of it: they are counted anew.
CREATE TABLE IF NOT EXISTS subjects_touched
(
    topic_type  UInt32,
    topic_id    String,
    loaded_time DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(loaded_time)
ORDER BY (topic_type, topic_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
