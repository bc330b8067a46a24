-- +goose NO TRANSACTION
-- +goose Up
-- Serials up to which a person accepted what is missing.
CREATE TABLE IF NOT EXISTS baselines
(
    client_id     UUID,
    serial        SimpleAggregateFunction(max, UInt64),
    accepted_time SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    loaded_time   SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3, 'UTC')
)
ENGINE = AggregatingMergeTree
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
