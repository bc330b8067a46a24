-- +goose NO TRANSACTION
-- +goose Up
-- When a request for a resync expired: nobody completed it in time. interval_s is the
-- merge interval that was in force then, in seconds. The earliest one counts, whatever
-- the interval is later.
CREATE TABLE IF NOT EXISTS resync_expiries
(
    client_id    UUID,
    number       UInt32,
    expired_time DateTime64(6, 'UTC'),
    interval_s   UInt64,
    earliest     UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Micro(expired_time)))
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (client_id, number)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
