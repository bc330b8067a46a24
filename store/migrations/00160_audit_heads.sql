-- +goose NO TRANSACTION
-- +goose Up
-- Signed heads of the audit log: what its last line was, as of a time. Nothing removes them, so that a log that was made
-- anew does not fit them. note is the head as it was signed.
CREATE TABLE IF NOT EXISTS audit_heads
(
    time DateTime64(3, 'UTC'),
    seq  UInt64,
    hash String,
    note String
)
ENGINE = ReplacingMergeTree
ORDER BY (seq, hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
