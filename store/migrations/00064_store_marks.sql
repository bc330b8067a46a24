-- +goose NO TRANSACTION
-- +goose Up
-- Which store this is, and how far it is: the counter that also stands in the data
-- folder's mark, outside the store. A store whose counter is behind the mark's is an
-- older copy that was put back.
CREATE TABLE IF NOT EXISTS store_marks
(
    store_id    UUID,
    number      UInt64,
    marked_time DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(number)
ORDER BY store_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
