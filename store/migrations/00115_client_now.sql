-- +goose NO TRANSACTION
-- +goose Up
-- What each client is, one row each: clients_seen and clients_named joined by the summarizer for clients that changed.
CREATE TABLE IF NOT EXISTS client_now
(
    client_id         UUID,
    netbios_name      String,
    name_lower        String,
    client_version    LowCardinality(String),
    client_type       UInt8,
    first_report_time DateTime64(6, 'UTC'),
    last_report_time  DateTime64(6, 'UTC'),
    version           UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
