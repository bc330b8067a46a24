-- +goose NO TRANSACTION
-- +goose Up
CREATE VIEW IF NOT EXISTS clients AS
SELECT
    client_id,
    argMaxIfMerge(clients_data.netbios_name) AS netbios_name,
    argMaxIfMerge(clients_data.client_version) AS client_version,
    argMaxMerge(clients_data.client_type) AS client_type,
    CAST(min(clients_data.first_report_time), 'DateTime64(6, \'UTC\')') AS first_report_time,
    CAST(max(clients_data.last_report_time), 'DateTime64(6, \'UTC\')') AS last_report_time
FROM clients_data
GROUP BY client_id;
