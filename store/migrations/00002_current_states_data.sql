-- +goose NO TRANSACTION
-- +goose Up
-- The latest numbered message of every topic of every client. rank holds, 64 bits
-- each and in this order: serial, message time, payload hash, earliness of arrival.
-- The small granularity lets a search for one client skip most of every topic.
CREATE TABLE IF NOT EXISTS current_states_data
(
    topic_type    UInt32,
    topic_id      String,
    client_id     UUID,
    topic_id_type UInt16,
    state_id      UInt32,
    criticality   UInt32,
    params        Array(String),
    message_time  DateTime64(3, 'UTC'),
    received_time DateTime64(6, 'UTC'),
    serial        UInt64,
    user          String,
    flags         UInt8,
    rank          UInt256
)
ENGINE = ReplacingMergeTree(rank)
ORDER BY (topic_type, topic_id, client_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, min_bytes_for_wide_part = 134217728,
    index_granularity = 1024;
