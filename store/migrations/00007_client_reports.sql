-- +goose NO TRANSACTION
-- +goose Up
-- One row per report that arrived; loading a file again adds none.
CREATE TABLE IF NOT EXISTS client_reports
(
    client_id      UUID,
    received_time  DateTime64(6, 'UTC'),
    loaded_time    DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC'),
    source_file    String,
    report_index   UInt32,
    receipt        String,
    netbios_name   String,
    client_version String,
    client_type    UInt8,
    report_time    DateTime64(3, 'UTC'),
    messages       UInt32,
    set_aside      UInt32,
    first_serial   UInt64,
    last_serial    UInt64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_time)
ORDER BY (received_time, source_file, report_index)
TTL toDateTime(received_time) + INTERVAL 400 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480, min_bytes_for_wide_part = 134217728,
    ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;
