-- +goose NO TRANSACTION
-- +goose Up
-- The greatest serial of clients that were erased, and when: one that enrols again goes on behind it. Its id is gone.
-- client_hash is the SHA-256 of the UUID as text, in hexadecimal: who has the id can look it up, and nobody can tell it.
CREATE TABLE IF NOT EXISTS serial_floors
(
    client_hash String,
    last_serial SimpleAggregateFunction(max, UInt64),
    erased_time SimpleAggregateFunction(max, DateTime64(6, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY client_hash
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
