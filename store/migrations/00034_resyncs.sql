-- +goose NO TRANSACTION
-- +goose Up
-- Resyncs that were issued, numbered per client. Two checkers that issue the same
-- number of a client issue one resync: the earlier time counts. Nothing has written
-- to the first shape of this table; one that holds rows is not dropped.
DROP TABLE IF EXISTS IF EMPTY resyncs SYNC;
CREATE TABLE IF NOT EXISTS resyncs
(
    client_id   UUID,
    number      UInt32,
    issued_time DateTime64(6, 'UTC'),
    reason      LowCardinality(String),
    issued_by   String,
    next_serial UInt64,
    earliest    UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Micro(issued_time)))
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (client_id, number)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
