-- +goose NO TRANSACTION
-- +goose Up
-- Messages without a serial. Each keeps its own row, because only its first arrival
-- may decide which of them is the latest.
CREATE TABLE IF NOT EXISTS instant_states_data
(
    topic_type    UInt32,
    topic_id      String,
    client_id     UUID,
    payload_hash  UInt64,
    topic_id_type UInt16,
    state_id      UInt32,
    criticality   UInt32,
    params        Array(String),
    message_time  DateTime64(3, 'UTC'),
    received_time DateTime64(6, 'UTC'),
    user          String,
    flags         UInt8,
    message_us    Int64,
    arrival_rank  UInt64
)
ENGINE = ReplacingMergeTree(arrival_rank)
ORDER BY (topic_type, topic_id, client_id, payload_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    index_granularity = 1024;
