-- +goose NO TRANSACTION
-- +goose Up
-- Only idempotent aggregates: a report that is loaded again changes nothing.
CREATE MATERIALIZED VIEW IF NOT EXISTS clients_feed TO clients_data AS
SELECT
    client_id,
    argMaxIfState(netbios_name, (received_time, source_file, report_index), netbios_name != '') AS netbios_name,
    argMaxIfState(client_version, (received_time, source_file, report_index), client_version != '') AS client_version,
    argMaxState(client_type, (received_time, source_file, report_index)) AS client_type,
    min(received_time) AS first_report_time,
    max(received_time) AS last_report_time
FROM client_reports
GROUP BY client_id;
