-- +goose NO TRANSACTION
-- +goose Up
-- Titles that agents gave, each with the arrival of the first message that gave it and its client. Two clients that name one
-- id differently are two rows: the title that arrived first counts, the other is a conflict.
CREATE TABLE IF NOT EXISTS title_claims
(
    topic_id     String,
    topic_type   UInt32,
    title        String,
    client_id    UUID,
    claimed_time DateTime64(6, 'UTC'),
    earliest     UInt64
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (topic_id, topic_type, title)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
