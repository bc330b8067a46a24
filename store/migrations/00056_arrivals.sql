-- +goose NO TRANSACTION
-- +goose Up
-- What arrived of each client, as one row: a gap check sees by it that nothing but
-- the next serials came, without reading them. A run of serials adds the hash after
-- its last less the hash of its first. Runs that follow each other cancel all but
-- their two ends: 1 to n add up to hash(n + 1) - hash(1), and what lacks a serial or
-- repeats one does not, but by a chance of one in 2^64. The loader writes a run here
-- once it is in serial_ranges: what is counted here can be read there.
CREATE TABLE IF NOT EXISTS arrivals
(
    client_id    UUID,
    first_serial SimpleAggregateFunction(min, UInt64),
    last_serial  SimpleAggregateFunction(max, UInt64),
    fingerprint  SimpleAggregateFunction(sum, UInt64) DEFAULT sipHash64(last_serial + 1) - sipHash64(first_serial),
    loaded_time  SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3, 'UTC')
)
ENGINE = AggregatingMergeTree
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
