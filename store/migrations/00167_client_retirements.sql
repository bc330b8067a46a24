-- +goose NO TRANSACTION
-- +goose Up
-- Clients that were retired, as of the latest change: state is retired, unretired (a person took it back) or returned
-- (a report of the client came). What is said of the retirement stays when it ends. The greatest version counts.
CREATE TABLE IF NOT EXISTS client_retirements
(
    client_id    UUID,
    state        LowCardinality(String),
    retired_time DateTime64(6, 'UTC'),
    retired_by   String,
    reason       String,
    ended_time   DateTime64(6, 'UTC'),
    ended_by     String,
    version      UInt64,
    loaded_time  DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
