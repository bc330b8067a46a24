-- +goose NO TRANSACTION
-- +goose Up
CREATE MATERIALIZED VIEW IF NOT EXISTS clients_named_feed TO clients_named AS
SELECT
    client_id,
    toUInt8((netbios_name != '') + 2 * (client_version != '')) AS given,
    netbios_name, client_version, client_type,
    bitOr(bitShiftLeft(toUInt128(toUInt64(toUnixTimestamp64Micro(received_time))), 64),
        bitOr(bitShiftLeft(toUInt128(toUInt32(sipHash64(source_file) % 4294967296)), 32), toUInt128(report_index))) AS place
FROM client_reports;
