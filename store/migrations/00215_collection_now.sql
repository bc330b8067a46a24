-- +goose NO TRANSACTION
-- +goose Up
-- Who the saved queries of collections yield: brought up to date by the summarizer, and when a collection is made. Only
-- changes are written; the greatest version counts.
CREATE TABLE IF NOT EXISTS collection_now
(
    name      String,
    client_id UUID,
    member    UInt8,
    version   UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (name, client_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
