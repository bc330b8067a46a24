-- +goose NO TRANSACTION
-- +goose Up
-- Named sets of clients: a list, kept in collection_clients under the same revision, or a query that yields client_id.
CREATE TABLE IF NOT EXISTS collections
(
    name         String,
    revision     UInt64,
    kind         LowCardinality(String),
    query        String,
    changed_time DateTime64(6, 'UTC'),
    deleted      UInt8
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
