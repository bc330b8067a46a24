-- +goose NO TRANSACTION
-- +goose Up
-- When each client last completed a scan for updates (501/3), by the messages themselves: a resync sends an old one again,
-- so its arrival says nothing. A scan whose time is more than five minutes after its arrival does not count: then
-- wrong_clock is when it arrived.
CREATE TABLE IF NOT EXISTS client_scans
(
    client_id   UUID,
    last_scan   SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    wrong_clock SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    loaded_time SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3, 'UTC')
)
ENGINE = AggregatingMergeTree
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
