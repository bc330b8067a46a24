-- +goose NO TRANSACTION
-- +goose Up
-- The last report of each client that the relay refused, as the client was told. A row is a slot of the relay's list, which is
-- bounded: the next refusal there replaces it. A client that reported under a certificate is verified; of another one only the
-- report says who it is. refusals counts those since a report was taken; taken_time is when one was taken after this one.
CREATE TABLE IF NOT EXISTS refused_reports
(
    slot         UInt32,
    change       UInt64,
    client_id    UUID,
    verified     Bool,
    netbios_name String,
    address      String,
    refused_time DateTime64(6, 'UTC'),
    code         LowCardinality(String),
    status       UInt16,
    line         UInt32,
    column       UInt32,
    detail       String,
    retry        Bool,
    refusals     UInt32,
    taken_time   Nullable(DateTime64(6, 'UTC'))
)
ENGINE = ReplacingMergeTree(change)
ORDER BY slot
TTL toDateTime(refused_time) + INTERVAL 400 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
