-- +goose NO TRANSACTION
-- +goose Up
-- Clients by computer name, in lower case, also by names they had before: whoever reads it looks at the client as well.
CREATE TABLE IF NOT EXISTS client_names
(
    name_lower String,
    client_id  UUID
)
ENGINE = ReplacingMergeTree
ORDER BY (name_lower, client_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
