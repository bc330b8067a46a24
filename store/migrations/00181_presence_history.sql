-- +goose NO TRANSACTION
-- +goose Up
-- Each time that a client was connected, once it is over. The end may be learned better later: the greatest version
-- counts.
CREATE TABLE IF NOT EXISTS presence_history
(
    client_id    UUID,
    server_id    UInt32,
    channel_type UInt8,
    session      UInt64,
    from_time    DateTime64(6, 'UTC'),
    to_time      DateTime64(6, 'UTC'),
    reason       LowCardinality(String),
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (client_id, server_id, session, from_time)
TTL toDateTime(to_time) + INTERVAL 90 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
