-- +goose NO TRANSACTION
-- +goose Up
-- Which clients are connected, as the notification manager knows it: this table is its mirror, and what is missing here
-- it writes again. No version before wrote to the first shape of the table. The greatest version counts: clocks are set.
DROP TABLE IF EXISTS client_presence SYNC;
CREATE TABLE IF NOT EXISTS client_presence
(
    client_id        UUID,
    online_status    UInt8,
    channel_type     UInt8,
    last_status_time DateTime64(6, 'UTC'),
    server_id        UInt32,
    session          UInt64,
    seq              UInt64,
    since            DateTime64(6, 'UTC'),
    last_heard       DateTime64(6, 'UTC'),
    address          String,
    reason           LowCardinality(String),
    version          UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
