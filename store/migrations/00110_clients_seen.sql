-- +goose NO TRANSACTION
-- +goose Up
-- When each client reported: plain rows, which a million clients can be counted and sorted by. loaded_time tells
-- whose rows are newer than a summary; its greatest is when the store last took in a report.
CREATE TABLE IF NOT EXISTS clients_seen
(
    client_id         UUID,
    first_report_time SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_report_time  SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    loaded_time       SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3, 'UTC')
)
ENGINE = AggregatingMergeTree
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
