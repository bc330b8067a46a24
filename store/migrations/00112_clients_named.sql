-- +goose NO TRANSACTION
-- +goose Up
-- What the latest report of a client said of it, by what it gave: 1 a name, 2 a version, 3 both, 0 neither. The name is
-- that of the latest report with one, and so the version; the type is that of the latest report. place orders reports:
-- arrival in microseconds, a hash of the file, place in the file. Loading a report again adds nothing.
CREATE TABLE IF NOT EXISTS clients_named
(
    client_id      UUID,
    given          UInt8,
    netbios_name   String,
    client_version LowCardinality(String),
    client_type    UInt8,
    place          UInt128
)
ENGINE = ReplacingMergeTree(place)
ORDER BY (client_id, given)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1,
    min_compressed_bytes_to_fsync_after_merge = 1, old_parts_lifetime = 480;
