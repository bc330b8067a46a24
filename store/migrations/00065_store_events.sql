-- +goose NO TRANSACTION
-- +goose Up
-- What happened to the store itself. A part that was lost: its table, blocks and rows.
-- A store that was restored: the time of the copy, at the earliest. accepted ends what
-- was lost before it, settled what was restored before it.
CREATE TABLE IF NOT EXISTS store_events
(
    kind       LowCardinality(String),
    table_name String,
    part       String,
    rows       UInt64,
    event_time DateTime64(6, 'UTC'),
    store_time DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(event_time)
ORDER BY (kind, table_name, part)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
