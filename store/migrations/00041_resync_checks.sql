-- +goose NO TRANSACTION
-- +goose Up
-- Gap checks that were made. The next one continues at the watermark, the engine's
-- time when the check began to read.
CREATE TABLE IF NOT EXISTS resync_checks
(
    time      DateTime64(6, 'UTC'),
    kind      LowCardinality(String),
    watermark DateTime64(3, 'UTC'),
    clients   UInt64,
    ranges    UInt64,
    messages  Float64,
    conflicts UInt64,
    differing UInt64,
    issued    UInt64,
    held      UInt64,
    took_ms   UInt64,
    text      String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY time
TTL toDateTime(time) + INTERVAL 400 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
