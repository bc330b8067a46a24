-- +goose NO TRANSACTION
-- +goose Up
-- Signs of a serial counter that went back, one row per later message. kind is
-- reused, below_completion or below_retention. The earliest detection counts.
CREATE TABLE IF NOT EXISTS serial_conflicts
(
    client_id     UUID,
    serial        UInt64,
    kind          LowCardinality(String),
    received_time DateTime64(6, 'UTC'),
    detected_time DateTime64(6, 'UTC'),
    earliest      UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Micro(detected_time)))
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY (client_id, serial, kind, received_time)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
