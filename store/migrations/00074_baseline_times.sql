-- +goose NO TRANSACTION
-- +goose Up
-- When a person accepted a baseline of a client, each time: baselines keeps only the last. A repeat is one row.
CREATE TABLE IF NOT EXISTS baseline_times
(
    client_id     UUID,
    accepted_time DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (client_id, accepted_time)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
