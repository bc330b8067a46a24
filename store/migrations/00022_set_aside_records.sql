-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS set_aside_records
(
    client_id      UUID,
    source_file    String,
    report_index   UInt32,
    record_index   UInt32,
    serial         Nullable(UInt64),
    code           String,
    reason         String,
    line           UInt32,
    column         UInt32,
    received_time  DateTime64(6, 'UTC'),
    set_aside_time DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (client_id, source_file, report_index, record_index)
TTL toDateTime(received_time) + INTERVAL 400 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
