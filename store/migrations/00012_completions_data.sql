-- +goose NO TRANSACTION
-- +goose Up
-- Resync complete messages, topic type 700 and state 2, each with its first arrival.
CREATE TABLE IF NOT EXISTS completions_data
(
    client_id     UUID,
    serial        UInt64,
    payload_hash  UInt64,
    params        Array(String),
    message_time  DateTime64(3, 'UTC'),
    received_time DateTime64(6, 'UTC'),
    arrival_rank  UInt64
)
ENGINE = ReplacingMergeTree(arrival_rank)
ORDER BY (client_id, serial, payload_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
