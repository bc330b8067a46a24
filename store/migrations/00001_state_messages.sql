-- +goose NO TRANSACTION
-- +goose Up
-- Every state message as it arrived. Two copies of a message have one key and merge
-- into the copy that arrived first; conflicting messages have two keys and both stay.
-- Partitioned by the relay's stamp: a time that a client supplied must never decide.
CREATE TABLE IF NOT EXISTS state_messages
(
    client_id     UUID,
    serial        UInt64,
    message_time  DateTime64(3, 'UTC') DEFAULT fromUnixTimestamp64Milli(intDiv(message_us, 1000), 'UTC'),
    received_time DateTime64(6, 'UTC'),
    loaded_time   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    topic_type    UInt32,
    topic_id      String,
    topic_id_type UInt16,
    state_id      UInt32,
    criticality   UInt32,
    params        Array(String),
    details       String,
    source_file   String,
    user          String,
    user_sid      String,
    details_type  Int32,
    flags         UInt8,
    receipt       String,
    payload_hash  UInt64,
    message_us    Int64,
    arrival_rank  UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Micro(received_time)))
)
ENGINE = ReplacingMergeTree(arrival_rank)
PARTITION BY toYYYYMM(received_time)
ORDER BY (client_id, serial, payload_hash)
TTL toDateTime(received_time) + INTERVAL 400 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, min_bytes_for_wide_part = 134217728,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
