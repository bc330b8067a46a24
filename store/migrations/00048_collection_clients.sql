-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS collection_clients
(
    name      String,
    revision  UInt64,
    client_id UUID
)
ENGINE = ReplacingMergeTree
ORDER BY (name, revision, client_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
