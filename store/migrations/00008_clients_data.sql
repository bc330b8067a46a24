-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS clients_data
(
    client_id         UUID,
    netbios_name      AggregateFunction(argMaxIf, String, Tuple(DateTime64(6, 'UTC'), String, UInt32), UInt8),
    client_version    AggregateFunction(argMaxIf, String, Tuple(DateTime64(6, 'UTC'), String, UInt32), UInt8),
    client_type       AggregateFunction(argMax, UInt8, Tuple(DateTime64(6, 'UTC'), String, UInt32)),
    first_report_time SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_report_time  SimpleAggregateFunction(max, DateTime64(6, 'UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY client_id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
