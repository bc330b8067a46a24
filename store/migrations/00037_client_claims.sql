-- +goose NO TRANSACTION
-- +goose Up
-- What clients say of themselves when they ask for their policy: the greatest serial
-- they gave to a message, and what they hold.
CREATE TABLE IF NOT EXISTS client_claims
(
    client_id    UUID,
    last_serial  SimpleAggregateFunction(max, UInt64),
    claimed_time SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    loaded_time  SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3, 'UTC')
)
ENGINE = AggregatingMergeTree
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
CREATE TABLE IF NOT EXISTS client_caches
(
    client_id    UUID,
    last_serial  UInt64,
    states       UInt32,
    digest       UInt64,
    unsent       UInt32,
    claimed_time DateTime64(6, 'UTC'),
    loaded_time  DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(claimed_time)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
