-- +goose NO TRANSACTION
-- +goose Up
-- When a client was first given the policy that asks for a resync; a repeat changes nothing.
CREATE TABLE IF NOT EXISTS resync_pickups
(
    client_id      UUID,
    number         UInt32,
    picked_up_time DateTime64(6, 'UTC'),
    earliest       UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Micro(picked_up_time)))
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (client_id, number)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
