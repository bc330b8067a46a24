-- +goose NO TRANSACTION
-- +goose Up
-- What was known of clients before. Their reports are read one by one: a million clients at once are more than the engine
-- holds. What retention has dropped since is in clients_data only, without its place: it is not older than the first report.
DROP VIEW IF EXISTS clients_feed;
INSERT INTO clients_seen (client_id, first_report_time, last_report_time, loaded_time)
SELECT client_id, received_time, received_time, loaded_time
FROM client_reports;
INSERT INTO clients_seen (client_id, first_report_time, last_report_time, loaded_time)
SELECT client_id, first_report_time, last_report_time, toDateTime64(0, 3, 'UTC')
FROM clients_data;
INSERT INTO clients_named (client_id, given, netbios_name, client_version, client_type, place)
SELECT
    client_id,
    toUInt8((netbios_name != '') + 2 * (client_version != '')),
    netbios_name, client_version, client_type,
    bitOr(bitShiftLeft(toUInt128(toUInt64(toUnixTimestamp64Micro(received_time))), 64),
        bitOr(bitShiftLeft(toUInt128(toUInt32(sipHash64(source_file) % 4294967296)), 32), toUInt128(report_index)))
FROM client_reports;
INSERT INTO clients_named (client_id, given, netbios_name, client_version, client_type, place)
SELECT client_id, toUInt8((name != '') + 2 * (version != '')), name, version, type, bitShiftLeft(toUInt128(toUInt64(toUnixTimestamp64Micro(first_report_time))), 64)
FROM
(
    SELECT
        client_id,
        CAST(first_report_time, 'DateTime64(6, \'UTC\')') AS first_report_time,
        finalizeAggregation(netbios_name) AS name,
        finalizeAggregation(client_version) AS version,
        finalizeAggregation(client_type) AS type
    FROM clients_data FINAL
    WHERE client_id NOT IN (SELECT client_id FROM clients_named WHERE given = 3)
)
SETTINGS max_threads = 1, max_block_size = 8192;
