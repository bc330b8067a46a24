-- +goose NO TRANSACTION
-- +goose Up
-- Claims more than 1,000,000 above all that was received of the client: nobody acts
-- on them. seen_serial is what they were measured by. The latest one counts.
CREATE TABLE IF NOT EXISTS claims_aside
(
    client_id    UUID,
    last_serial  UInt64,
    seen_serial  UInt64,
    claimed_time DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(claimed_time)
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
-- Claims that a person accepted all the same. Claims of the client are measured from there.
CREATE TABLE IF NOT EXISTS accepted_claims
(
    client_id     UUID,
    last_serial   UInt64,
    accepted_time DateTime64(6, 'UTC'),
    accepted_by   String
)
ENGINE = ReplacingMergeTree(accepted_time)
ORDER BY (client_id, last_serial)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
