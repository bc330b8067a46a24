-- +goose NO TRANSACTION
-- +goose Up
-- Serials that a person accepted for a client by its name. A client that is asked to continue from one near it may take
-- it, however far above its own it is. The latest one counts.
CREATE TABLE IF NOT EXISTS accepted_serials
(
    client_id     UUID,
    last_serial   UInt64,
    accepted_time DateTime64(6, 'UTC'),
    accepted_by   String
)
ENGINE = ReplacingMergeTree(accepted_time)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
