-- +goose NO TRANSACTION
-- +goose Up
-- Clients that sent messages whose time can't be right, and when the latest of them came. They are few, and whoever counts
-- them reads no messages.
CREATE TABLE IF NOT EXISTS wrong_clocks
(
    client_id     UUID,
    last_received SimpleAggregateFunction(max, DateTime64(6, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
