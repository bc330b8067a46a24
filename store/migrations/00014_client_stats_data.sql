-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS client_stats_data
(
    client_id    UUID,
    last_serial  SimpleAggregateFunction(max, UInt64),
    last_message AggregateFunction(argMax, DateTime64(3, 'UTC'), Tuple(UInt64, Int64))
)
ENGINE = AggregatingMergeTree
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
